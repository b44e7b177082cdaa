/* The ring of samples: against a plain list of all that was added, and when memory is short. */
#include <math.h>
#include <stdlib.h>

#include "core/metrics/history.h"
#include "support.h"

static const uint64_t ms = UINT64_C(1000000);

/* ---- a list that forgets nothing --------------------------------------------------------- */

enum { MOST_ADDED = 4000 };

typedef struct model {
  pm_history_sample_t kept[MOST_ADDED];
  uint64_t cpu[MOST_ADDED];
  size_t count;
} model_t;

typedef struct moment {
  uint64_t time, at, began, start, used;
} moment_t;

static uint64_t pick(uint64_t below) {
  return (uint64_t)rand() % below;
}

static pm_metrics_t random_metrics(const moment_t *c) {
  uint64_t user = pick(c->used + 1);
  return (pm_metrics_t){
      .memory = (double)pick(UINT64_C(1) << 34) / (1024 * 1024),
      .user = user,
      .system = c->used - user,
      .processes = (unsigned)pick(5000),
      .threads = pick(100000),
  };
}

static void add(pm__history_t *h, const moment_t *c, const pm_metrics_t *metrics) {
  const pm__history_look_t look = {c->time, c->at, c->began, c->start, metrics};
  pm__history_add(h, &look);
}

static void model_add(model_t *m, uint64_t span_ns, uint64_t cpu, const moment_t *c, const pm_metrics_t *metrics) {
  uint64_t span = span_ns / 1000;
  m->cpu[m->count] = cpu;
  m->kept[m->count++] = (pm_history_sample_t){
      .time = c->time,
      .span = span,
      .start = c->start,
      .cpu = 100 * (double)cpu / (double)span,
      .memory = metrics->memory,
      .processes = metrics->processes,
      .threads = metrics->threads,
  };
}

typedef struct walk {
  const model_t *model;
  const pm_history_query_t *query;
  uint64_t now;
  size_t at; /* in the model: where the next that matches is looked for */
  size_t count;
} walk_t;

static bool is_wanted(const walk_t *w, const pm_history_sample_t *s) {
  const pm_history_query_t *q = w->query;
  if (q->has_since && !(s->time > q->since)) return false;
  if (q->has_window && !(w->now <= s->time + q->window)) return false;
  return !q->has_start || s->start == q->start;
}

static void pass_over(walk_t *w) {
  while (w->at < w->model->count && !is_wanted(w, &w->model->kept[w->at]))
    w->at++;
}

static void on_sample(void *arg, const pm_history_sample_t *s) {
  walk_t *w = arg;
  pass_over(w);
  assert_true(w->at < w->model->count);
  const pm_history_sample_t *expected = &w->model->kept[w->at++];
  assert_int_equal(s->time, expected->time);
  assert_int_equal(s->span, expected->span);
  assert_int_equal(s->start, expected->start);
  assert_true(s->cpu == expected->cpu && s->memory == expected->memory);
  assert_int_equal(s->processes, expected->processes);
  assert_int_equal(s->threads, expected->threads);
  w->count++;
}

static bool is_near(double a, double b) {
  return fabs(a - b) <= 1e-9 * fmax(1, fmax(fabs(a), fabs(b)));
}

static void check_range(const pm_range_t *range, const walk_t *w, double (*value)(const pm_history_sample_t *),
                        const double *mean) {
  double least = INFINITY, most = -INFINITY, sum = 0;
  for (size_t i = 0; i < w->model->count; i++) {
    const pm_history_sample_t *s = &w->model->kept[i];
    if (!is_wanted(w, s)) continue;
    least = fmin(least, value(s));
    most = fmax(most, value(s));
    sum += value(s);
  }
  assert_true(range->min == least && range->max == most);
  assert_true(is_near(range->mean, mean ? *mean : sum / (double)w->count));
}

static double cpu_of(const pm_history_sample_t *s) {
  return s->cpu;
}
static double memory_of(const pm_history_sample_t *s) {
  return s->memory;
}
static double processes_of(const pm_history_sample_t *s) {
  return s->processes;
}
static double threads_of(const pm_history_sample_t *s) {
  return (double)s->threads;
}

/* Of the model only the newest are there any more. */
static void check(const pm__history_t *h, const model_t *all, const pm_history_query_t *q, uint64_t now) {
  static model_t kept;
  size_t gone = all->count - h->count;
  double used = 0, span = 0;
  pm_history_summary_t sum;
  kept.count = all->count - gone;
  for (size_t i = 0; i < kept.count; i++)
    kept.kept[i] = all->kept[gone + i];
  walk_t w = {&kept, q, now, 0, 0};
  pm__history_read(h, q, now, on_sample, &w, &sum);
  pass_over(&w);
  assert_int_equal(w.at, kept.count);
  assert_int_equal(sum.count, w.count);
  for (size_t i = 0; i < kept.count; i++) {
    if (!is_wanted(&w, &kept.kept[i])) continue;
    used += (double)all->cpu[gone + i];
    span += (double)kept.kept[i].span;
  }
  if (w.count == 0) {
    assert_true(sum.cpu.max == 0 && sum.memory.max == 0 && sum.processes.min == 0 && sum.threads.mean == 0);
    return;
  }
  double mean = 100 * used / span;
  check_range(&sum.cpu, &w, cpu_of, &mean);
  check_range(&sum.memory, &w, memory_of, NULL);
  check_range(&sum.processes, &w, processes_of, NULL);
  check_range(&sum.threads, &w, threads_of, NULL);
  pm_history_summary_t again;
  pm__history_read(h, q, now, NULL, NULL, &again);
  assert_memory_equal(&again, &sum, sizeof(sum));
}

static pm_history_query_t random_query(const model_t *all, uint64_t now) {
  pm_history_query_t q = {0};
  const pm_history_sample_t *s = all->count ? &all->kept[pick(all->count)] : NULL;
  q.has_since = s && pick(3) == 0;
  if (q.has_since) q.since = s->time - pick(2);
  q.has_window = s && pick(3) == 0;
  if (q.has_window) q.window = pick(2) ? now - s->time : pick(1000000000);
  q.has_start = s && pick(3) == 0;
  if (q.has_start) q.start = s->start + pick(2);
  return q;
}

/* is_short: the ring grows only now and then. */
static void run_model(size_t most, int steps, bool is_short) {
  static model_t all;
  pm__history_t h;
  moment_t c = {.time = UINT64_C(1790000000000000), .at = ms, .began = ms};
  uint64_t last_at = c.began, last_used = 0;
  all.count = 0;
  pm__history_init(&h, most);
  for (int i = 0; i < steps; i++) {
    if (pick(10) == 0) {
      c.at += pick(1000) * ms;
      c.began = last_at = c.at;
      c.used = last_used = 0;
      c.start += 1 + pick(3);
    }
    uint64_t passed = pick(4) ? (90 + pick(10000)) * ms + pick(ms) : pick(200) * ms;
    c.at += passed;
    c.time += passed / 1000;
    c.used += pick(4) * pick(passed / 1000 + 1);
    pm_metrics_t metrics = random_metrics(&c);
    if (is_short && all.count > 0 && pick(4)) alloc_fail_from(1);
    add(&h, &c, &metrics);
    alloc_fail_nth(0);
    uint64_t span = c.at - last_at;
    if (most > 0 && span >= 100 * ms) {
      model_add(&all, span, c.used - last_used, &c, &metrics);
      last_at = c.at;
      last_used = c.used;
    }
    assert_true(is_short || h.count == (all.count < most ? all.count : most));
    if (pick(5)) continue;
    uint64_t now = c.time + pick(3) * 1000000;
    pm_history_query_t q = random_query(&all, now);
    check(&h, &all, &q, now);
  }
  const pm_history_query_t everything = {0};
  check(&h, &all, &everything, c.time);
  assert_true(h.count <= most && (h.block == 0 || h.block_count <= (most + h.block - 1) / h.block));
  pm__history_free(&h);
}

static void test_as_the_model_has_it(void **state) {
  (void)state;
  srand(4711);
  static const size_t mosts[] = {0, 1, 2, 3, 15, 16, 17, 100, 720, 5000};
  for (size_t i = 0; i < sizeof(mosts) / sizeof(mosts[0]); i++)
    run_model(mosts[i], 3000, false);
}

static void test_as_the_model_has_it_when_memory_is_short_at_times(void **state) {
  (void)state;
  srand(4712);
  static const size_t mosts[] = {1, 16, 129, 300, 720, 5000};
  for (size_t i = 0; i < sizeof(mosts) / sizeof(mosts[0]); i++)
    run_model(mosts[i], 3000, true);
}

/* ---- single cases --------------------------------------------------------------------------- */

static void test_what_it_costs(void **state) {
  (void)state;
  pm__history_t h;
  assert_int_equal(sizeof(pm__history_entry_t), 48);
  pm__history_init(&h, 1000000);
  alloc_fail_nth(0);
  moment_t c = {.time = 1, .at = 200 * ms};
  const pm_metrics_t metrics = {.memory = 1};
  assert_int_equal(alloc_seen(), 0);
  add(&h, &c, &metrics);
  assert_int_equal(alloc_seen(), 2);
  assert_true(h.block * sizeof(pm__history_entry_t) <= 8192 && h.block_count == 1);
  pm__history_free(&h);
  /* Few take no more room than they need. */
  pm__history_init(&h, 3);
  add(&h, &c, &metrics);
  assert_int_equal(h.block, 3);
  pm__history_free(&h);
  /* Nothing is allocated, and nothing kept, where nothing is wanted. */
  pm__history_init(&h, 0);
  alloc_fail_nth(0);
  add(&h, &c, &metrics);
  assert_int_equal(alloc_seen(), 0);
  assert_int_equal(h.count, 0);
}

/* However large it grows: what is there stays where it is, and each step is a small one. */
static void test_nothing_is_copied(void **state) {
  enum { MANY = 200000 };
  (void)state;
  pm__history_t h;
  pm__history_init(&h, MANY);
  const pm__history_entry_t *oldest = NULL, *last = NULL;
  const pm_metrics_t metrics = {.memory = 1};
  for (uint64_t i = 1; i <= MANY; i++) {
    moment_t c = {.time = i, .at = i * 200 * ms};
    alloc_fail_nth(0);
    add(&h, &c, &metrics);
    assert_true(alloc_seen() <= 2);
    if (i == 1) oldest = h.blocks[0];
    if (i == MANY / 2) last = &h.blocks[h.block_count - 1][0];
  }
  assert_ptr_equal(h.blocks[0], oldest);
  assert_int_equal(oldest->time, 1);
  assert_true(last->time <= MANY / 2 && last->time + h.block > MANY / 2);
  assert_true(h.block_room * sizeof(void *) < MANY * sizeof(*oldest) / 100);
  pm__history_free(&h);
}

static size_t count_all(const pm__history_t *h, pm_history_summary_t *sum) {
  const pm_history_query_t everything = {0};
  pm__history_read(h, &everything, 0, NULL, NULL, sum);
  return sum->count;
}

/* CPU time that seems to go down counts as none. */
static void test_cpu_never_goes_below_zero(void **state) {
  (void)state;
  pm__history_t h;
  pm_history_summary_t sum;
  pm__history_init(&h, 10);
  moment_t c = {.time = 1, .at = 1000 * ms};
  pm_metrics_t metrics = {.user = 500000, .system = 500000};
  add(&h, &c, &metrics);
  c.at += 1000 * ms;
  metrics.user = 0;
  add(&h, &c, &metrics);
  assert_int_equal(count_all(&h, &sum), 2);
  assert_true(sum.cpu.min == 0 && sum.cpu.max == 100 && sum.cpu.mean == 50);
  pm__history_free(&h);
}

/* It stays as large as it is, and goes on. */
static void test_memory_that_runs_out(void **state) {
  (void)state;
  /* The list of blocks, then blocks; the fifth needs a longer list. */
  static const size_t kept[] = {0, 0, 1, 2, 3, 4, 4, 5};
  for (unsigned long nth = 1; nth <= sizeof(kept) / sizeof(kept[0]); nth++) {
    pm__history_t h;
    pm_history_summary_t sum;
    pm__history_init(&h, 1000);
    alloc_fail_from(nth);
    for (unsigned i = 1; i <= 1000; i++) {
      moment_t c = {.time = i, .at = i * 200 * ms};
      const pm_metrics_t metrics = {.memory = i};
      add(&h, &c, &metrics);
    }
    alloc_fail_nth(0);
    assert_int_equal(count_all(&h, &sum), kept[nth - 1] * h.block);
    assert_true(kept[nth - 1] == 0 || sum.memory.max == 1000);
    pm__history_free(&h);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_as_the_model_has_it),
      cmocka_unit_test(test_as_the_model_has_it_when_memory_is_short_at_times),
      cmocka_unit_test(test_what_it_costs),
      cmocka_unit_test(test_nothing_is_copied),
      cmocka_unit_test(test_cpu_never_goes_below_zero),
      cmocka_unit_test(test_memory_that_runs_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
