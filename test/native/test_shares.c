/* The proportional memory of processes, read in the thread pool. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/limits/shares.h"
#include "platform/share.h"
#include "support.h"

enum { MB = 1 << 20 };

static uint64_t start_time_of(int pid) {
  pm__metrics_source_t source;
  pm__usage_t usage;
  assert_int_equal(pm__metrics_open(pid, &source), 0);
  assert_int_equal(pm__metrics_read(source, &usage), 0);
  pm__metrics_close(source);
  return usage.start_time;
}

/* What the kernel says, by another way. */
static uint64_t pss_of(int pid) {
  char path[64], line[256];
  unsigned long kib = 0;
  snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  while (fgets(line, sizeof(line), file) && sscanf(line, "Pss: %lu", &kib) != 1) {
  }
  fclose(file);
  return kib * 1024;
}

/* A child that waits until it is killed. */
static int start_child(void) {
  int pid = fork();
  assert_true(pid >= 0);
  if (pid > 0) return pid;
  alarm(60);
  for (;;)
    pause();
}

static void end_child(int pid) {
  kill(pid, SIGKILL);
  assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_of_one(void **state) {
  (void)state;
  int pid = start_child();
  uint64_t share = 0, known = pss_of(pid);
  assert_int_equal(pm__share_read(pid, start_time_of(pid), &share), 0);
  print_message("%.2f MB, %.2f MB\n", (double)share / MB, (double)known / MB);
  assert_true(known > 0 && share + MB / 2 > known && known + MB / 2 > share);
  end_child(pid);
}

static void test_of_another_under_its_number(void **state) {
  (void)state;
  int pid = start_child();
  uint64_t share, start_time = start_time_of(pid);
  assert_int_equal(pm__share_read(pid, start_time + 10000000, &share), UV_ESRCH);
  kill(pid, SIGKILL);
  siginfo_t info;
  assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
  assert_int_equal(pm__share_read(pid, start_time, &share), UV_ESRCH);
  end_child(pid);
  assert_int_equal(pm__share_read(pid, start_time, &share), UV_ESRCH);
}

static bool is_zombie(int pid) {
  siginfo_t info = {0};
  return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

/* A child that touches so much, until it is killed. */
static int start_holder(size_t size) {
  char byte;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  int pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    alarm(60);
    memset(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, size);
    if (write(ends[1], "", 1) == 1) pause();
    _exit(1);
  }
  assert_int_equal(read(ends[0], &byte, 1), 1);
  close(ends[0]);
  close(ends[1]);
  return pid;
}

/* While it gives back what it had there is nothing to read, and it is no zombie yet: that is an end,
 * not a kernel that tells nobody. */
static void test_of_one_that_is_ending(void **state) {
  (void)state;
  int pid = start_holder(64 * MB);
  uint64_t share, start_time = start_time_of(pid);
  pm__metrics_source_t source;
  pm__usage_t usage;
  int ended = 0;
  assert_int_equal(pm__metrics_open(pid, &source), 0);
  kill(pid, SIGKILL);
  /* Read before that, it would be the reader who gives it back. */
  do
    assert_int_equal(pm__metrics_read(source, &usage), 0);
  while (usage.memory > 0 && usage.lives);
  while (!is_zombie(pid)) {
    assert_int_equal(pm__share_read(pid, start_time, &share), UV_ESRCH);
    ended++;
  }
  print_message("%d reads found it ending\n", ended);
  pm__metrics_close(source);
  assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_leaves_no_descriptor(void **state) {
  (void)state;
  uint64_t share;
  int before = count_descriptors();
  assert_int_equal(pm__share_read(getpid(), start_time_of(getpid()), &share), 0);
  assert_int_equal(count_descriptors(), before);
}

static void on_shares(pm__shares_t *shares, int status) {
  assert_int_equal(status, 0);
  *(pm__shares_t **)shares->data = shares;
}

static pm__shares_t *read_shares(uv_loop_t *loop, pm__meter_t *meter, uint64_t enough) {
  pm__shares_t *shares = NULL, *begun = NULL;
  assert_int_equal(pm__shares_begin(loop, meter, enough, on_shares, &shares, &begun), 0);
  assert_non_null(begun);
  assert_null(shares);
  assert_int_equal(uv_run(loop, UV_RUN_DEFAULT), 0);
  assert_non_null(shares);
  return shares;
}

static void test_of_a_tree(void **state) {
  (void)state;
  enum { COUNT = 4, SHARED = 32 };
  uv_loop_t loop;
  pm__meter_room_t room = {0};
  pm__meter_t meter;
  int pids[COUNT];
  assert_int_equal(uv_loop_init(&loop), 0);
  char *memory = mmap(NULL, SHARED * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(memory, 1, SHARED * MB);
  for (int i = 0; i < COUNT; i++)
    pids[i] = start_child();
  pm__meter_init(&meter, &room, getpid(), 0, 0);
  assert_int_equal(pm__meter_look(&meter, 0, UINT64_MAX), 0);
  assert_true(meter.memory > (COUNT + 1) * SHARED * MB);

  pm__shares_t *shares = read_shares(&loop, &meter, UINT64_MAX);
  assert_true(shares->is_known);
  assert_int_equal(shares->count, COUNT + 1);
  assert_true(shares->sum > SHARED * MB && shares->sum < meter.memory / 2);
  uint64_t all = shares->sum;
  pm__free(shares);

  /* The rest is not looked at. */
  shares = read_shares(&loop, &meter, 1);
  assert_true(shares->sum >= 1 && shares->sum < all);
  pm__free(shares);

  /* Those that have ended since have none. */
  for (int i = 0; i < COUNT; i++)
    end_child(pids[i]);
  shares = read_shares(&loop, &meter, UINT64_MAX);
  assert_true(shares->is_known && shares->sum > SHARED * MB);
  assert_int_equal(shares->found, 1);
  pm__free(shares);

  alloc_fail_nth(1);
  assert_int_equal(pm__shares_begin(&loop, &meter, UINT64_MAX, on_shares, &shares, &shares), UV_ENOMEM);
  alloc_fail_nth(0);
  pm__meter_close(&meter);
  munmap(memory, SHARED * MB);
  assert_loop_closes(&loop);
}

/* A host without a free descriptor knows nothing for now, which is not the same as that nobody may know. */
static void test_short_of_descriptors(void **state) {
  (void)state;
  struct rlimit old, none;
  uv_loop_t loop;
  pm__meter_room_t room = {0};
  pm__meter_t meter;
  assert_int_equal(uv_loop_init(&loop), 0);
  pm__meter_init(&meter, &room, getpid(), 0, 0);
  assert_int_equal(pm__meter_look(&meter, 0, UINT64_MAX), 0);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
  none = old;
  none.rlim_cur = 0;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  pm__shares_t *shares = read_shares(&loop, &meter, UINT64_MAX);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
  assert_int_equal(shares->r, UV_EMFILE);
  assert_true(shares->is_known);
  pm__free(shares);
  shares = read_shares(&loop, &meter, UINT64_MAX);
  assert_true(shares->r == 0 && shares->is_known && shares->sum > 0);
  pm__free(shares);
  pm__meter_close(&meter);
  assert_loop_closes(&loop);
}

/* ---- what nobody wants to know any more ------------------------------------------------- */

/* All threads of the pool wait, so that what is begun meanwhile has not begun. */
typedef struct pool {
  uv_work_t works[4];
  uv_sem_t open, held;
} pool_t;

static void wait_in_pool(uv_work_t *work) {
  pool_t *pool = work->data;
  uv_sem_post(&pool->held);
  uv_sem_wait(&pool->open);
}

static void hold_pool(uv_loop_t *loop, pool_t *pool) {
  enum { THREADS = sizeof(pool->works) / sizeof(pool->works[0]) };
  assert_int_equal(uv_sem_init(&pool->open, 0) | uv_sem_init(&pool->held, 0), 0);
  for (int i = 0; i < THREADS; i++) {
    pool->works[i].data = pool;
    assert_int_equal(uv_queue_work(loop, &pool->works[i], wait_in_pool, NULL), 0);
  }
  for (int i = 0; i < THREADS; i++)
    uv_sem_wait(&pool->held);
}

static void free_pool(pool_t *pool) {
  for (size_t i = 0; i < sizeof(pool->works) / sizeof(pool->works[0]); i++)
    uv_sem_post(&pool->open);
}

static void close_pool(pool_t *pool) {
  uv_sem_destroy(&pool->open);
  uv_sem_destroy(&pool->held);
}

typedef struct left {
  pm__shares_t *shares;
  int status;
  bool called;
} left_t;

static void on_left(pm__shares_t *shares, int status) {
  *(left_t *)shares->data = (left_t){shares, status, true};
}

static void test_left_off(void **state) {
  (void)state;
  uv_loop_t loop;
  pm__meter_room_t room = {0};
  pm__meter_t meter;
  pool_t pool;
  left_t before = {0}, within = {0};
  pm__shares_t *begun;
  assert_int_equal(uv_loop_init(&loop), 0);
  pm__meter_init(&meter, &room, getpid(), 0, 0);
  assert_int_equal(pm__meter_look(&meter, 0, UINT64_MAX), 0);
  hold_pool(&loop, &pool);

  /* It need not wait for a thread. */
  assert_int_equal(pm__shares_begin(&loop, &meter, UINT64_MAX, on_left, &before, &begun), 0);
  pm__shares_leave_off(begun);
  run_until(&loop, &before.called);
  assert_int_equal(before.status, UV_ECANCELED);
  pm__free(before.shares);

  /* One that has a thread already reads no further. */
  assert_int_equal(pm__shares_begin(&loop, &meter, UINT64_MAX, on_left, &within, &begun), 0);
  atomic_store(&begun->left_off, true);
  free_pool(&pool);
  run_until(&loop, &within.called);
  assert_int_equal(within.status, 0);
  assert_true(within.shares->count == 1 && within.shares->found == 0 && within.shares->sum == 0);
  pm__free(within.shares);

  assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
  close_pool(&pool);
  pm__meter_close(&meter);
  assert_loop_closes(&loop);
}

int main(void) {
  /* What hold_pool counts on. */
  setenv("UV_THREADPOOL_SIZE", "4", 1);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_of_one),
      cmocka_unit_test(test_of_another_under_its_number),
      cmocka_unit_test(test_of_one_that_is_ending),
      cmocka_unit_test(test_leaves_no_descriptor),
      cmocka_unit_test(test_of_a_tree),
      cmocka_unit_test(test_short_of_descriptors),
      cmocka_unit_test(test_left_off),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
