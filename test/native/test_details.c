/* What one process has open, how often it was switched, what it read: against what it knows of itself. */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "../../csrc/platform/details.h"
#include "../../csrc/platform/metrics.h"
#include "spawn_fixture.h"
#include "worker.h"

static uint64_t start_time_of(int pid) {
  pm__metrics_source_t source;
  pm__usage_t usage;

  assert_int_equal(pm__metrics_open(pid, &source), 0);
  assert_int_equal(pm__metrics_read(source, &usage), 0);
  pm__metrics_close(source);
  return usage.start_time;
}

static pm__details_t details_of(int pid, bool pss) {
  pm__details_t details;

  assert_int_equal(pm__details_read(pid, start_time_of(pid), pss, &details), 0);
  return details;
}

static void test_of_itself(void **state) {
  struct rusage before, after;
  pm__details_t details;
  int descriptors = count_descriptors();

  (void)state;
  getrusage(RUSAGE_SELF, &before);
  details = details_of(getpid(), true);
  getrusage(RUSAGE_SELF, &after);
  /* The directory of the process, and that of the descriptors. */
  assert_in_range(details.descriptors, descriptors, descriptors + 2);
  assert_in_range(details.voluntary, before.ru_nvcsw, after.ru_nvcsw);
  assert_in_range(details.involuntary, before.ru_nivcsw, after.ru_nivcsw);
  assert_true(details.peak > 0 && details.pss > 0 && details.pss <= details.peak + (int64_t)MB);
  assert_true(details.read >= 0 && details.written >= 0);
  assert_int_equal(details_of(getpid(), false).pss, -1);
  assert_int_equal(count_descriptors(), descriptors);
}

static void *sleep_often(void *arg) {
  struct timespec ms = {0, (long)MS};
  for (int i = 0; i < 100; i++)
    nanosleep(&ms, NULL);
  pthread_barrier_wait(arg);
  pthread_barrier_wait(arg);
  return NULL;
}

static void test_switches_of_all_threads(void **state) {
  pthread_barrier_t barrier;
  pthread_t thread;
  int64_t before = details_of(getpid(), false).voluntary;

  (void)state;
  pthread_barrier_init(&barrier, NULL, 2);
  assert_int_equal(pthread_create(&thread, NULL, sleep_often, &barrier), 0);
  pthread_barrier_wait(&barrier);
  assert_true(details_of(getpid(), false).voluntary >= before + 100);
  pthread_barrier_wait(&barrier);
  pthread_join(thread, NULL);
  pthread_barrier_destroy(&barrier);
}

static void test_peak_outlives_the_memory(void **state) {
  worker_t w = worker_start();
  int64_t before = details_of(w.pid, false).peak;

  (void)state;
  worker_do(&w, 'n');
  worker_do(&w, 'm');
  assert_true(details_of(w.pid, false).peak > before + (int64_t)WORKER_BYTES / 10 * 9);
  worker_end(&w);
}

static void test_nobody_or_somebody_else(void **state) {
  worker_t w = worker_start_idle();
  uint64_t start_time = start_time_of(w.pid);
  pm__details_t details;

  (void)state;
  assert_int_equal(pm__details_read(w.pid, start_time - 1, false, &details), UV_ESRCH);
  worker_kill(&w);
  assert_int_equal(pm__details_read(w.pid, start_time, false, &details), UV_ESRCH);
  worker_reap(&w);
  assert_int_equal(pm__details_read(w.pid, start_time, false, &details), UV_ESRCH);
}

/* Of another user's process only some may be read. */
static const char *read_as_nobody(void *arg) {
  const worker_t *w = arg;
  pm__details_t details;
  uint64_t start_time = start_time_of(w->pid);

  if (setgid(65534) != 0 || setuid(65534) != 0) return NULL; /* not privileged: nothing to be given up */
  if (pm__details_read(w->pid, start_time, true, &details) != 0) return "it cannot be read at all";
  if (details.peak <= 0 || details.voluntary < 0) return "what all may know is not known";
  if (details.descriptors != -1 || details.read != -1 || details.written != -1 || details.pss != -1)
    return "something is known that may not be";
  return NULL;
}

static void test_what_may_not_be_read(void **state) {
  worker_t w = worker_start_idle();

  (void)state;
  in_forked_process(read_as_nobody, &w);
  worker_end(&w);
}

static void test_no_descriptor_left(void **state) {
  uint64_t start_time = start_time_of(getpid());
  pm__details_t details;

  (void)state;
  for (int more = 0; more < 4; more++) {
    struct rlimit old = limit_fds(more);
    int r = pm__details_read(getpid(), start_time, true, &details);
    setrlimit(RLIMIT_NOFILE, &old);
    assert_true(r == 0 || r == UV_EMFILE);
    if (more == 0) assert_int_equal(r, UV_EMFILE);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_of_itself),
      cmocka_unit_test(test_switches_of_all_threads),
      cmocka_unit_test(test_peak_outlives_the_memory),
      cmocka_unit_test(test_nobody_or_somebody_else),
      cmocka_unit_test(test_what_may_not_be_read),
      cmocka_unit_test(test_no_descriptor_left),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
