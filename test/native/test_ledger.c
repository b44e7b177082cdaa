/* Sums of counters whose processes come and go: against a list of all that there have been. */
#include <stdlib.h>

#include "core/alloc.h"
#include "core/metrics/ledger.h"
#include "support.h"

enum { MOST_EVER = 6000 };

/* A process of the model: it counts, ends, and leaves its pid to another. */
typedef struct one {
  pm__ledger_entry_t entry;
  bool lives;
  bool missed;                    /* by the last look */
  int64_t seen[PM__LEDGER_COUNT]; /* the most that a look saw; -1: none did */
} one_t;

static one_t all[MOST_EVER];
static size_t ever;

static uint64_t pick(uint64_t below) {
  return (uint64_t)rand() % below;
}

static bool is_taken(int pid) {
  for (size_t i = 0; i < ever; i++)
    if (all[i].lives && all[i].entry.pid == pid) return true;
  return false;
}

static void begin_one(void) {
  int pid = 1 + (int)pick(60);
  if (is_taken(pid) || ever == MOST_EVER) return;
  all[ever] = (one_t){.entry = {.pid = pid, .start_time = ever + 1}, .lives = true};
  for (int c = 0; c < PM__LEDGER_COUNT; c++) {
    all[ever].entry.value[c] = (int64_t)pick(1000);
    all[ever].seen[c] = -1;
  }
  ever++;
}

/* Mostly up; down when threads end, whose counts go with them. */
static void go_on(void) {
  for (size_t i = 0; i < ever; i++) {
    if (!all[i].lives) continue;
    if (pick(12) == 0) all[i].lives = false;
    for (int c = 0; c < PM__LEDGER_COUNT; c++) {
      int64_t *value = &all[i].entry.value[c];
      *value = pick(8) ? *value + (int64_t)pick(5000) : *value / 2;
    }
  }
}

static void look(pm__ledger_t *ledger, bool *ever_known) {
  pm__ledger_entry_t *entries = pm__malloc(MOST_EVER * sizeof(*entries));
  size_t count = 0;
  assert_non_null(entries);
  for (size_t i = ever; i-- > 0;) {
    if (!all[i].lives) continue;
    all[i].missed = !all[i].missed && pick(8) == 0;
    if (all[i].missed) continue;
    entries[count] = all[i].entry;
    for (int c = 0; c < PM__LEDGER_COUNT; c++) {
      int64_t *value = &entries[count].value[c];
      if (pick(10) == 0) *value = -1;
      if (*value > all[i].seen[c]) all[i].seen[c] = *value;
      ever_known[c] = ever_known[c] || *value >= 0;
    }
    count++;
  }
  pm__ledger_settle(ledger, entries, count);
}

static void check(const pm__ledger_t *ledger, const bool *ever_known) {
  for (int c = 0; c < PM__LEDGER_COUNT; c++) {
    int64_t sum = 0;
    for (size_t i = 0; i < ever; i++)
      if (all[i].seen[c] > 0) sum += all[i].seen[c];
    assert_int_equal(ledger->sum[c], ever_known[c] ? sum : -1);
  }
}

static void test_as_the_model_has_it(void **state) {
  (void)state;
  srand(42);
  for (int round = 0; round < 20; round++) {
    pm__ledger_t ledger;
    bool ever_known[PM__LEDGER_COUNT] = {false};
    ever = 0;
    pm__ledger_init(&ledger);
    for (int step = 0; step < 100; step++) {
      for (uint64_t i = pick(6); i > 0; i--)
        begin_one();
      look(&ledger, ever_known);
      check(&ledger, ever_known);
      go_on();
    }
    pm__ledger_free(&ledger);
  }
}

static void settle_one(pm__ledger_t *ledger, int pid, uint64_t start_time, int64_t value) {
  pm__ledger_entry_t *entry = pm__malloc(sizeof(*entry));
  assert_non_null(entry);
  *entry = (pm__ledger_entry_t){.pid = pid, .start_time = start_time, .value = {value, value, -1, value}};
  pm__ledger_settle(ledger, entry, 1);
}

static void test_a_pid_that_is_given_again(void **state) {
  (void)state;
  pm__ledger_t ledger;
  pm__ledger_init(&ledger);
  assert_int_equal(ledger.sum[PM__LEDGER_READ], -1);
  settle_one(&ledger, 7, 1, 100);
  settle_one(&ledger, 7, 1, 150);
  assert_int_equal(ledger.sum[PM__LEDGER_VOLUNTARY], 150);
  settle_one(&ledger, 7, 2, 30);
  assert_int_equal(ledger.sum[PM__LEDGER_VOLUNTARY], 180);
  pm__ledger_settle(&ledger, NULL, 0);
  assert_int_equal(ledger.sum[PM__LEDGER_VOLUNTARY], 180);
  assert_int_equal(ledger.sum[PM__LEDGER_READ], -1);
  pm__ledger_free(&ledger);
  assert_int_equal(ledger.sum[PM__LEDGER_VOLUNTARY], -1);
}

typedef struct told {
  int pid, ppid;
  int64_t value;
} told_t;

static void settle_all(pm__ledger_t *ledger, size_t count, const told_t *told) {
  pm__ledger_entry_t *entries = pm__malloc((count + 1) * sizeof(*entries));
  assert_non_null(entries);
  for (size_t i = 0; i < count; i++)
    entries[i] = (pm__ledger_entry_t){
        .pid = told[i].pid,
        .ppid = told[i].ppid,
        .start_time = 1,
        .value = {told[i].value, told[i].value, told[i].value, told[i].value},
    };
  pm__ledger_settle(ledger, entries, count);
}

#define SETTLE(ledger, ...)                                                                                            \
  settle_all(ledger, sizeof((told_t[]){__VA_ARGS__}) / sizeof(told_t), (const told_t[]){__VA_ARGS__})

/* Bytes of storage move up to who waits; context switches do not. */
static void test_what_has_been_waited_for_counts_once(void **state) {
  (void)state;
  pm__ledger_t ledger;
  pm__ledger_init(&ledger);
  SETTLE(&ledger, {10, 1, 5}, {20, 10, 100});
  assert_int_equal(ledger.sum[PM__LEDGER_WRITTEN], 105);
  /* It has written 30 more before its end; the parent waits for it later. */
  SETTLE(&ledger, {10, 1, 5});
  assert_int_equal(ledger.sum[PM__LEDGER_WRITTEN], 105);
  SETTLE(&ledger, {10, 1, 135});
  assert_int_equal(ledger.sum[PM__LEDGER_WRITTEN], 135);
  assert_int_equal(ledger.sum[PM__LEDGER_READ], 135);
  assert_int_equal(ledger.sum[PM__LEDGER_VOLUNTARY], 235);
  SETTLE(&ledger, {10, 1, 137});
  assert_int_equal(ledger.sum[PM__LEDGER_WRITTEN], 137);
  pm__ledger_free(&ledger);
}

static void test_over_generations(void **state) {
  (void)state;
  pm__ledger_t ledger;
  pm__ledger_init(&ledger);
  SETTLE(&ledger, {10, 1, 0}, {20, 10, 7}, {30, 20, 100});
  assert_int_equal(ledger.sum[PM__LEDGER_WRITTEN], 107);
  SETTLE(&ledger, {10, 1, 0}, {20, 10, 107});
  assert_int_equal(ledger.sum[PM__LEDGER_WRITTEN], 107);
  SETTLE(&ledger, {10, 1, 107}, {40, 10, 0}, {50, 40, 20});
  assert_int_equal(ledger.sum[PM__LEDGER_WRITTEN], 127);
  /* Two at once. */
  SETTLE(&ledger, {10, 1, 127});
  assert_int_equal(ledger.sum[PM__LEDGER_WRITTEN], 127);
  /* Of whom nobody is there any more: nothing is known twice. */
  SETTLE(&ledger, {60, 1, 3});
  assert_int_equal(ledger.sum[PM__LEDGER_WRITTEN], 130);
  /* A ring of parents. */
  SETTLE(&ledger, {60, 1, 3}, {70, 80, 1}, {80, 70, 1});
  SETTLE(&ledger, {60, 1, 3});
  assert_int_equal(ledger.sum[PM__LEDGER_WRITTEN], 132);
  pm__ledger_free(&ledger);
}

/* Of a large tree one look may leave out who is in the next: then it is no new one. */
static void test_who_comes_back_counts_once(void **state) {
  (void)state;
  pm__ledger_t ledger;
  pm__ledger_init(&ledger);
  SETTLE(&ledger, {10, 1, 5}, {20, 10, 100});
  SETTLE(&ledger, {10, 1, 5});
  SETTLE(&ledger, {10, 1, 5}, {20, 10, 130});
  assert_int_equal(ledger.sum[PM__LEDGER_VOLUNTARY], 135);
  assert_int_equal(ledger.sum[PM__LEDGER_WRITTEN], 135);
  /* What its parent counts is its own then. */
  SETTLE(&ledger, {10, 1, 45}, {20, 10, 130});
  assert_int_equal(ledger.sum[PM__LEDGER_WRITTEN], 175);
  SETTLE(&ledger, {10, 1, 175});
  assert_int_equal(ledger.sum[PM__LEDGER_WRITTEN], 175);
  /* Who is missing twice has ended. */
  SETTLE(&ledger, {10, 1, 175});
  assert_int_equal(ledger.count, 1);
  pm__ledger_free(&ledger);
}

static void test_who_comes_back_has_what_it_waits_for(void **state) {
  (void)state;
  pm__ledger_t ledger;
  pm__ledger_init(&ledger);
  SETTLE(&ledger, {10, 1, 0}, {20, 10, 0}, {30, 20, 50});
  SETTLE(&ledger, {10, 1, 0}, {20, 10, 0});
  SETTLE(&ledger, {10, 1, 0});
  SETTLE(&ledger, {10, 1, 0}, {20, 10, 50});
  assert_int_equal(ledger.sum[PM__LEDGER_WRITTEN], 50);
  SETTLE(&ledger, {10, 1, 50});
  assert_int_equal(ledger.sum[PM__LEDGER_WRITTEN], 50);
  SETTLE(&ledger, {10, 1, 57});
  assert_int_equal(ledger.sum[PM__LEDGER_WRITTEN], 57);
  pm__ledger_free(&ledger);
}

/* Its child ends meanwhile, of which what was seen went to the next above. */
static void test_who_comes_back_has_what_it_has_waited_for_meanwhile(void **state) {
  (void)state;
  pm__ledger_t ledger;
  pm__ledger_init(&ledger);
  SETTLE(&ledger, {10, 1, 0}, {20, 10, 0}, {30, 20, 50});
  SETTLE(&ledger, {10, 1, 0});
  SETTLE(&ledger, {10, 1, 0}, {20, 10, 50});
  assert_int_equal(ledger.sum[PM__LEDGER_WRITTEN], 50);
  SETTLE(&ledger, {10, 1, 0}, {20, 10, 53});
  assert_int_equal(ledger.sum[PM__LEDGER_WRITTEN], 53);
  SETTLE(&ledger, {10, 1, 53});
  assert_int_equal(ledger.sum[PM__LEDGER_WRITTEN], 53);
  SETTLE(&ledger, {10, 1, 60});
  assert_int_equal(ledger.sum[PM__LEDGER_WRITTEN], 60);
  pm__ledger_free(&ledger);
}

static void test_without_memory_nobody_is_remembered(void **state) {
  (void)state;
  pm__ledger_t ledger;
  pm__ledger_init(&ledger);
  SETTLE(&ledger, {10, 1, 5}, {20, 10, 100});
  alloc_fail_nth(2);
  SETTLE(&ledger, {10, 1, 5});
  alloc_fail_nth(0);
  assert_int_equal(ledger.count, 1);
  SETTLE(&ledger, {10, 1, 105});
  assert_int_equal(ledger.sum[PM__LEDGER_WRITTEN], 105);
  pm__ledger_free(&ledger);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_as_the_model_has_it),
      cmocka_unit_test(test_a_pid_that_is_given_again),
      cmocka_unit_test(test_what_has_been_waited_for_counts_once),
      cmocka_unit_test(test_over_generations),
      cmocka_unit_test(test_who_comes_back_counts_once),
      cmocka_unit_test(test_who_comes_back_has_what_it_waits_for),
      cmocka_unit_test(test_who_comes_back_has_what_it_has_waited_for_meanwhile),
      cmocka_unit_test(test_without_memory_nobody_is_remembered),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
