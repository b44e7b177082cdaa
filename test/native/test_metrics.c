#include <limits.h>

#include <uv.h>

#include "../../csrc/platform/metrics.h"
#include "worker.h"

/* The kernel cuts user and system time to whole ticks of 10 ms each. */
#define TICK      (10 * MS)
#define CPU_ERROR (2 * TICK)

static uint64_t cpu_time(const pm__usage_t *usage) {
  return usage->own.user + usage->own.system;
}

static pm__metrics_source_t open_source(int pid) {
  pm__metrics_source_t source;

  assert_int_equal(pm__metrics_open(pid, &source), 0);
  assert_true(source.fd >= 0);
  return source;
}

static void test_reads_itself(void **state) {
  int fds = count_descriptors();
  pm__metrics_source_t source = open_source(getpid());
  struct rusage limits;
  pm__usage_t usage;

  (void)state;
  assert_int_equal(pm__metrics_read(source, &usage), 0);
  getrusage(RUSAGE_SELF, &limits);
  assert_true(usage.start_time > 0 && usage.start_time <= pm__metrics_now());
  assert_true(usage.memory > 0);
  assert_true(usage.memory <= 2 * (uint64_t)limits.ru_maxrss * 1024);
  assert_true(cpu_time(&usage) <= worker_cpu_time() + CPU_ERROR);
  source = pm__metrics_close(source);
  assert_int_equal(count_descriptors(), fds);
}

static void test_source_is_closed_on_exec(void **state) {
  pm__metrics_source_t source = open_source(getpid());

  (void)state;
  assert_true(fcntl(source.fd, F_GETFD) & FD_CLOEXEC);
  pm__metrics_close(source);
}

static void test_start_time_is_on_the_clock_of_now(void **state) {
  uint64_t before = pm__metrics_now();
  worker_t w = worker_start_idle();
  uint64_t after = pm__metrics_now();
  pm__metrics_source_t source = open_source(w.pid);
  pm__usage_t usage;

  (void)state;
  assert_int_equal(pm__metrics_read(source, &usage), 0);
  assert_true(usage.start_time + TICK >= before);
  assert_true(usage.start_time <= after);
  pm__metrics_close(source);
  worker_end(&w);
}

static void test_cpu_time_is_what_getrusage_says(void **state) {
  worker_t w = worker_start();
  pm__metrics_source_t source = open_source(w.pid);
  uint64_t said;
  pm__usage_t usage;

  (void)state;
  for (int i = 0; i < 2; i++) {
    said = worker_do(&w, 'b');
    assert_true(said >= (uint64_t)(i + 1) * WORKER_BURN_NS);
    assert_int_equal(pm__metrics_read(source, &usage), 0);
    assert_true(cpu_time(&usage) + CPU_ERROR >= said);
    assert_true(cpu_time(&usage) <= said + CPU_ERROR);
  }
  pm__metrics_close(source);
  worker_end(&w);
}

static void test_memory_grows_by_what_is_touched(void **state) {
  worker_t w = worker_start();
  pm__metrics_source_t source = open_source(w.pid);
  pm__usage_t before, after;

  (void)state;
  assert_int_equal(pm__metrics_read(source, &before), 0);
  worker_do(&w, 'm');
  assert_int_equal(pm__metrics_read(source, &after), 0);
  assert_true(after.memory > before.memory + WORKER_BYTES / 10 * 9);
  assert_true(after.memory < before.memory + WORKER_BYTES * 2);
  pm__metrics_close(source);
  worker_end(&w);
}

static void test_a_misleading_name_changes_nothing(void **state) {
  worker_t w = worker_start();
  pm__metrics_source_t source = open_source(w.pid);
  pm__usage_t before, after;

  (void)state;
  assert_int_equal(pm__metrics_read(source, &before), 0);
  worker_do(&w, 'n');
  assert_int_equal(pm__metrics_read(source, &after), 0);
  assert_true(after.start_time == before.start_time);
  assert_true(after.memory > 0);
  pm__metrics_close(source);
  worker_end(&w);
}

static void test_zombie_reads_and_reaped_does_not(void **state) {
  int fds = count_descriptors();
  worker_t w = worker_start();
  pm__metrics_source_t source = open_source(w.pid), other;
  uint64_t said = worker_do(&w, 'b');
  pm__usage_t usage;

  (void)state;
  worker_kill(&w);
  assert_int_equal(pm__metrics_read(source, &usage), 0);
  assert_int_equal(usage.memory, 0);
  assert_true(cpu_time(&usage) + CPU_ERROR >= said);
  worker_reap(&w);
  assert_int_equal(pm__metrics_read(source, &usage), UV_ESRCH);
  assert_int_equal(pm__metrics_open(w.pid, &other), UV_ESRCH);
  assert_int_equal(other.fd, -1);
  source = pm__metrics_close(source);
  assert_int_equal(count_descriptors(), fds);
}

static void test_who_has_not_run_is_known(void **state) {
  worker_t w = worker_start();
  pm__metrics_source_t source;
  uint64_t before, after;

  (void)state;
  worker_do(&w, 'b');
  assert_int_equal(pm__metrics_open_runs(w.pid, &source), 0);
  /* It has answered, and may be on its way to sleep. */
  do {
    assert_int_equal(pm__metrics_read_runs(source, &before), 0);
    usleep(20000);
    assert_int_equal(pm__metrics_read_runs(source, &after), 0);
  } while (before != after);
  worker_do(&w, 'b');
  assert_int_equal(pm__metrics_read_runs(source, &after), 0);
  assert_true(after > before);
  worker_end(&w);
  assert_int_equal(pm__metrics_read_runs(source, &after), UV_ESRCH);
  pm__metrics_close(source);
}

static uint64_t kernel_rss(int pid) {
  char path[64], line[256];
  unsigned long long kib = 0;
  FILE *f;

  snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
  f = fopen(path, "r");
  assert_non_null(f);
  while (fgets(line, sizeof line, f))
    sscanf(line, "Rss: %llu", &kib);
  fclose(f);
  assert_true(kib > 0);
  return kib * 1024;
}

static uint64_t distance(uint64_t a, uint64_t b) {
  return a > b ? a - b : b - a;
}

/* Before Linux 6.16 as near as the cheaper figure; since then exactly. */
static void test_memory_is_what_the_kernel_counts(void **state) {
  worker_t w = worker_start();
  pm__metrics_source_t usage_source = open_source(w.pid), source;
  pm__usage_t usage;
  uint64_t memory, kernel;

  (void)state;
  worker_do(&w, 'm');
  assert_int_equal(pm__metrics_open_memory(w.pid, &source), 0);
  assert_true(fcntl(source.fd, F_GETFD) & FD_CLOEXEC);
  kernel = kernel_rss(w.pid);
  assert_int_equal(pm__metrics_read(usage_source, &usage), 0);
  assert_int_equal(pm__metrics_read_memory(source, &memory), 0);
  print_message("bytes off: stat %d, statm %d\n", (int)distance(usage.memory, kernel), (int)distance(memory, kernel));
  assert_true(memory > WORKER_BYTES && distance(memory, kernel) <= distance(usage.memory, kernel) + 65536);
  worker_kill(&w);
  assert_int_equal(pm__metrics_read_memory(source, &memory), 0);
  assert_int_equal(memory, 0);
  worker_reap(&w);
  assert_int_equal(pm__metrics_read_memory(source, &memory), UV_ESRCH);
  pm__metrics_close(source);
  pm__metrics_close(usage_source);
  assert_int_equal(pm__metrics_open_memory(w.pid, &source), UV_ESRCH);
}

static void test_no_such_process(void **state) {
  static const int pids[] = {0, -1, INT_MAX, INT_MIN};

  (void)state;
  for (size_t i = 0; i < sizeof pids / sizeof pids[0]; i++) {
    pm__metrics_source_t source = {.fd = 1};
    assert_int_equal(pm__metrics_open(pids[i], &source), UV_ESRCH);
    assert_int_equal(source.fd, -1);
  }
}

static void test_closed_source_reads_nothing(void **state) {
  int fds = count_descriptors();
  pm__metrics_source_t source = open_source(getpid());
  pm__usage_t usage;

  (void)state;
  source = pm__metrics_close(source);
  assert_int_equal(source.fd, -1);
  assert_int_equal(pm__metrics_read(source, &usage), UV_EBADF);
  source = pm__metrics_close(source);
  assert_int_equal(source.fd, -1);
  assert_int_equal(count_descriptors(), fds);
}

static void test_text_that_makes_no_sense(void **state) {
  static const char *const paths[] = {"/dev/null", "/proc/self/status"};
  pm__usage_t usage;

  (void)state;
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    pm__metrics_source_t source = {.fd = open(paths[i], O_RDONLY | O_CLOEXEC)};
    assert_true(source.fd >= 0);
    assert_int_equal(pm__metrics_read(source, &usage), UV_EINVAL);
    pm__metrics_close(source);
  }
}

static void test_no_descriptor_left(void **state) {
  struct rlimit old = limit_fds(0);
  pm__metrics_source_t source = {.fd = 1};
  int r = pm__metrics_open(getpid(), &source);

  (void)state;
  setrlimit(RLIMIT_NOFILE, &old);
  assert_int_equal(r, UV_EMFILE);
  assert_int_equal(source.fd, -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reads_itself),
      cmocka_unit_test(test_source_is_closed_on_exec),
      cmocka_unit_test(test_start_time_is_on_the_clock_of_now),
      cmocka_unit_test(test_cpu_time_is_what_getrusage_says),
      cmocka_unit_test(test_memory_grows_by_what_is_touched),
      cmocka_unit_test(test_a_misleading_name_changes_nothing),
      cmocka_unit_test(test_zombie_reads_and_reaped_does_not),
      cmocka_unit_test(test_who_has_not_run_is_known),
      cmocka_unit_test(test_memory_is_what_the_kernel_counts),
      cmocka_unit_test(test_no_such_process),
      cmocka_unit_test(test_closed_source_reads_nothing),
      cmocka_unit_test(test_text_that_makes_no_sense),
      cmocka_unit_test(test_no_descriptor_left),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
