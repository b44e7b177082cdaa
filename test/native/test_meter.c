/* What a tree of processes uses, and what came between two looks, against what the kernel says of each of them. */
#include <math.h>

#include "../../csrc/core/metrics/meter_reading.h"
#include "keeper_fixture.h"
#include "worker.h"

/* Ticks are cut off at both ends, for user and system time, here and in what has been
 * waited for; and a worker's own steps around a job. */
#define CPU_ERROR (60 * MS)
#define FOREVER   UINT64_MAX

/* This program plays the keeper: whoever it forks is of the tree. */
typedef struct fixture {
  pm__meter_room_t room;
  pm__meter_t meter;
  worker_t command;
  int descriptors;
  uint64_t looks;
} fixture_t;

static void open_meter(fixture_t *f, int keeper) {
  f->room = (pm__meter_room_t){.most = 1000};
  pm__meter_init(&f->meter, &f->room, f->command.pid, keeper, 0);
}

static int set_up(void **state) {
  fixture_t *f = calloc(1, sizeof *f);

  assert_non_null(f);
  be_subreaper();
  f->descriptors = count_descriptors();
  f->command = worker_start();
  open_meter(f, getpid());
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture_t *f = *state;
  int descriptors = f->descriptors;

  pm__meter_close(&f->meter);
  pm__meter_room_free(&f->room);
  assert_int_equal(f->room.open, 0);
  assert_int_equal(f->meter.open, 0);
  if (f->command.pid > 0) worker_end(&f->command);
  free(f);
  assert_int_equal(count_descriptors(), descriptors);
  assert_no_child();
  return 0;
}

/* A look that lists children anew; what the tree has used since the one before. */
static uint64_t look(fixture_t *f) {
  pm__cpu_time_t before = f->meter.used;

  assert_int_equal(pm__meter_look(&f->meter, 0, FOREVER), 0);
  assert_true(f->meter.used.user >= before.user && f->meter.used.system >= before.system);
  return f->meter.used.user + f->meter.used.system - before.user - before.system;
}

static void assert_about(uint64_t value, uint64_t wanted) {
  assert_in_range(value, wanted > CPU_ERROR ? wanted - CPU_ERROR : 0, wanted + CPU_ERROR);
}

static pm__member_t *member(fixture_t *f, int pid) {
  int place = pm__members_find(&f->meter.members, pid);

  return place < 0 ? NULL : &f->meter.members.at[place];
}

/* ---- sums ----------------------------------------------------------------------------- */

static void test_cpu_of_all(void **state) {
  fixture_t *f = *state;
  worker_t other = worker_start();
  uint64_t own;

  look(f);
  assert_int_equal(f->meter.processes, 2);
  assert_int_equal(f->meter.threads, 2);
  own = f->meter.own_used.user + f->meter.own_used.system;
  worker_do(&other, 'b');
  assert_about(look(f), WORKER_BURN_NS);
  assert_about(f->meter.own_used.user + f->meter.own_used.system - own, 0);
  worker_do(&f->command, 'b');
  worker_do(&other, 'b');
  assert_about(look(f), 2 * WORKER_BURN_NS);
  assert_about(f->meter.own_used.user + f->meter.own_used.system - own, WORKER_BURN_NS);
  assert_true(f->meter.cpu.percent >= f->meter.own_cpu.percent);
  worker_end(&other);
}

/* The resident size that the kernel adds up page by page. */
static uint64_t resident(int pid) {
  char path[64], line[256];
  unsigned long kib = 0;
  FILE *file;

  snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
  file = fopen(path, "re");
  assert_non_null(file);
  while (fgets(line, sizeof line, file) && sscanf(line, "Rss: %lu", &kib) != 1)
    continue;
  fclose(file);
  assert_true(kib > 0);
  return kib * 1024;
}

static void test_memory_of_all(void **state) {
  fixture_t *f = *state;
  worker_t other = worker_start();
  uint64_t kernel;

  worker_do(&other, 'm');
  worker_do(&f->command, 'm');
  worker_do(&other, 'n');
  look(f);
  kernel = resident(f->command.pid) + resident(other.pid);
  assert_true(kernel >= 2 * WORKER_BYTES);
  assert_in_range(f->meter.memory, kernel - MB / 2 - kernel / 50, kernel + MB / 2 + kernel / 50);
  kernel = resident(f->command.pid);
  assert_in_range(f->meter.own_memory, kernel - MB / 2 - kernel / 50, kernel + MB / 2 + kernel / 50);
  assert_true(f->meter.peak == f->meter.memory);
  worker_end(&other);
  look(f);
  assert_true(f->meter.peak > f->meter.memory);
  assert_true(f->meter.memory == f->meter.own_memory);
}

/* ---- those who go ------------------------------------------------------------------------ */

static void test_who_has_ended_is_no_spike(void **state) {
  fixture_t *f = *state;
  worker_t other = worker_start();

  worker_do(&other, 'b');
  worker_do(&other, 'b');
  look(f);
  worker_do(&other, 'b');
  worker_kill(&other);
  assert_about(look(f), WORKER_BURN_NS); /* a zombie still tells */
  assert_int_equal(f->meter.processes, 1);
  worker_reap(&other);
  assert_about(look(f), 0);
  assert_null(member(f, other.pid));
}

static void test_what_the_last_look_did_not_see_is_not_lost(void **state) {
  fixture_t *f = *state;
  worker_t other = worker_start();

  worker_do(&other, 'b');
  look(f);
  worker_do(&other, 'b');
  worker_end(&other);
  assert_about(look(f), WORKER_BURN_NS);
  assert_about(look(f), 0);
}

static void test_who_was_never_seen_is_counted(void **state) {
  fixture_t *f = *state;
  worker_t other;

  look(f);
  for (int i = 0; i < 2; i++) {
    other = worker_start();
    worker_do(&other, 'b');
    worker_end(&other);
  }
  assert_about(look(f), 2 * WORKER_BURN_NS);
}

/* Nobody waits for it: then nobody knows. */
static void test_parent_that_does_not_wait(void **state) {
  fixture_t *f = *state;
  worker_t other = worker_start(), third = worker_start();

  worker_do(&other, 'b');
  look(f);
  signal(SIGCHLD, SIG_IGN);
  assert_int_equal(kill(other.pid, SIGKILL), 0);
  assert_int_equal(waitpid(other.pid, NULL, 0), -1); /* blocks until it has gone */
  close(other.to);
  close(other.from);
  signal(SIGCHLD, SIG_DFL);
  worker_do(&third, 'b');
  assert_about(look(f), WORKER_BURN_NS);
  assert_about(look(f), 0);
  /* The debt lasts one window only. */
  assert_int_equal(f->meter.ahead.user + f->meter.ahead.system, 0);
  worker_end(&third);
  assert_about(look(f), 0);
}

/* It had gone when it was looked at, but its parent, who was looked at before, had not
 * yet waited for it. */
static void test_waited_for_after_the_look(void **state) {
  fixture_t *f = *state;
  worker_t other = worker_start();

  worker_do(&other, 'b');
  look(f);
  pm__member_t *record = member(f, other.pid);
  f->meter.ahead = record->usage.own;
  pm__meter_release(&f->meter, record);
  memset(&record->usage.own, 0, sizeof record->usage.own);
  worker_end(&other);
  assert_about(look(f), 0);
  assert_about(look(f), 0);
}

/* ---- pids that are used again ---------------------------------------------------------------- */

static void test_pid_given_anew(void **state) {
  fixture_t *f = *state;
  worker_t other = worker_start(), again;

  worker_do(&other, 'b');
  worker_do(&other, 'b');
  look(f);
  worker_end(&other);
  again = worker_start_as(other.pid);
  if (again.pid < 0) skip(); /* not privileged to choose pids */
  worker_do(&again, 'b');
  assert_about(look(f), WORKER_BURN_NS);
  worker_do(&again, 'b');
  assert_about(look(f), WORKER_BURN_NS);
  worker_end(&again);
}

/* The same without privileges: what is known is about somebody who began earlier. */
static void test_another_start_time_is_somebody_else(void **state) {
  fixture_t *f = *state;
  worker_t other = worker_start();

  worker_do(&other, 'b');
  look(f);
  member(f, other.pid)->usage.start_time--;
  /* Nor was this one born since. */
  assert_about(look(f), 0);
  assert_non_null(member(f, other.pid));
  member(f, f->command.pid)->usage.start_time--;
  worker_do(&f->command, 'm'); /* so that it is read */
  assert_int_equal(pm__meter_look(&f->meter, 0, FOREVER), UV_ESRCH);
  worker_end(&other);
}

/* A former member's pid belongs to a process that is none. */
static void test_pid_given_to_a_stranger(void **state) {
  fixture_t *f = *state;
  worker_t other = worker_start();

  pm__meter_close(&f->meter);
  open_meter(f, 0);
  look(f);
  assert_int_equal(f->meter.processes, 1);
  /* As if it had been one, but began earlier. */
  int place = pm__members_add(&f->meter.members, other.pid);
  f->meter.members.at[place].usage.start_time = 1;
  worker_do(&other, 'b');
  assert_about(look(f), 0);
  assert_null(member(f, other.pid));
  assert_int_equal(f->meter.processes, 1);
  worker_end(&other);
}

static void test_command_that_has_been_reaped(void **state) {
  fixture_t *f = *state;

  look(f);
  worker_end(&f->command);
  assert_int_equal(pm__meter_look(&f->meter, 0, FOREVER), UV_ESRCH);
  assert_int_equal(pm__meter_probe(&f->meter), UV_EBADF);
  f->command.pid = 0;
}

/* ---- without a keeper -------------------------------------------------------------------------- */

/* The command forks a child that ends when `go` does, and a grandchild. */
static void be_parent(int go, int ready) {
  char byte;

  worker_tie(getppid());
  if (fork() == 0) {
    pid_t pid = fork();
    prctl(PR_SET_PDEATHSIG, pid == 0 ? 0 : SIGKILL);
    alarm(120);
    if (pid == 0) worker_touch();
    close(ready);
    while (pid > 0 && read(go, &byte, 1) != 0)
      continue;
    if (pid > 0) _exit(0);
    for (;;)
      pause();
  }
  close(go);
  close(ready);
  waitpid(-1, NULL, 0);
  for (;;)
    pause();
}

static void test_descendants_and_those_who_lose_their_parent(void **state) {
  fixture_t *f = *state;
  int go[2], ready[2];
  char byte;

  worker_end(&f->command);
  assert_int_equal(pipe(go), 0);
  assert_int_equal(pipe(ready), 0);
  f->command = (worker_t){fork(), -1, -1};
  if (f->command.pid == 0) {
    close(go[1]);
    close(ready[0]);
    be_parent(go[0], ready[1]);
  }
  close(go[0]);
  close(ready[1]);
  open_meter(f, 0);
  assert_int_equal(read(ready[0], &byte, 1), 0);
  close(ready[0]);
  look(f);
  assert_int_equal(f->meter.processes, 3);
  assert_true(f->meter.memory > f->meter.own_memory + WORKER_BYTES);
  close(go[1]);
  /* The grandchild is ours now, not the command's; and who was seen stays. */
  wait_until_left(2);
  look(f);
  assert_int_equal(f->meter.processes, 2);
  assert_true(f->meter.memory > f->meter.own_memory + WORKER_BYTES);
  pm__meter_close(&f->meter);
  end_all_strays();
  f->command.pid = 0;
}

/* ---- how much is done at once ------------------------------------------------------------------- */

enum { MANY = 100 };

static void start_many(worker_t *workers) {
  for (int i = 0; i < MANY; i++)
    workers[i] = worker_start_idle();
}

static void end_many(worker_t *workers) {
  for (int i = 0; i < MANY; i++)
    if (workers[i].pid > 0) worker_end(&workers[i]);
}

static void test_slices(void **state) {
  fixture_t *f = *state;
  worker_t workers[MANY];
  int r, slices = 0, at = 0;

  look(f);
  start_many(workers);
  while ((r = pm__meter_look(&f->meter, 0, 0)) == UV_EAGAIN) {
    assert_in_range(f->meter.at - at, 1, 8);
    at = f->meter.at;
    assert_int_equal(f->meter.processes, 1);
    /* They come and go meanwhile. */
    if (slices == 2) worker_end(&workers[MANY - 1]);
    if (slices == 3) worker_end(&workers[0]);
    slices++;
  }
  assert_int_equal(r, 0);
  assert_true(slices >= MANY / 8);
  assert_in_range(f->meter.processes, MANY - 1, MANY);
  workers[0].pid = workers[MANY - 1].pid = 0;
  look(f);
  assert_int_equal(f->meter.processes, MANY - 1);
  end_many(workers);
  look(f);
  assert_int_equal(f->meter.processes, 1);
}

static void test_what_the_first_look_has_seen_so_far(void **state) {
  fixture_t *f = *state;
  worker_t workers[MANY];
  pm_metrics_t first, last;

  start_many(workers);
  assert_int_equal(pm__meter_look(&f->meter, 0, 0), UV_EAGAIN);
  pm__meter_figures(&f->meter, &first);
  assert_true(first.memory > 0);
  assert_int_equal(first.processes, 0);
  while (pm__meter_look(&f->meter, 0, 0) == UV_EAGAIN)
    continue;
  pm__meter_figures(&f->meter, &last);
  assert_true(last.memory > first.memory);
  end_many(workers);
}

static void test_a_look_that_is_given_up(void **state) {
  fixture_t *f = *state;
  worker_t workers[MANY];

  start_many(workers);
  look(f);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(pm__meter_look(&f->meter, 0, 0), UV_EAGAIN);
    if (i == 1) pm__meter_let_go(&f->meter);
  }
  pm__meter_let_go(&f->meter);
  assert_int_equal(count_descriptors(), f->descriptors + 2);
  worker_do(&f->command, 'b');
  assert_about(look(f), WORKER_BURN_NS);
  assert_int_equal(f->meter.processes, MANY + 1);
  end_many(workers);
}

static void test_descriptors_are_bounded(void **state) {
  fixture_t *f = *state;
  worker_t workers[MANY];
  int before = count_descriptors();
  struct rlimit old;

  start_many(workers);
  f->room.most = PM__METER_OPEN + 20;
  for (int i = 0; i < 3; i++) {
    look(f);
    assert_int_equal(count_descriptors(), before + PM__METER_OPEN + 1);
    assert_int_equal(f->room.open, PM__METER_OPEN);
  }
  /* More, as long as a quarter of the room is free. */
  f->room.most = 4 * PM__METER_OPEN;
  look(f);
  assert_int_equal(f->room.open, 3 * PM__METER_OPEN);
  /* A part of what this process may have, however much room there is. */
  pm__meter_let_go(&f->meter);
  f->room.most = 10000;
  getrlimit(RLIMIT_NOFILE, &old);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){3 * 90, old.rlim_max}), 0);
  look(f);
  assert_int_equal(f->room.open, 90);
  setrlimit(RLIMIT_NOFILE, &old);
  pm__meter_let_go(&f->meter);
  assert_int_equal(count_descriptors(), before);
  f->room.most = 10;
  look(f);
  assert_int_equal(count_descriptors(), before + 11);
  assert_int_equal(f->meter.processes, MANY + 1);
  end_many(workers);
}

static void test_children_are_listed_when_something_was_started(void **state) {
  fixture_t *f = *state;
  worker_t first = worker_start_idle(), second;

  assert_int_equal(pm__meter_look(&f->meter, 7, FOREVER), 0);
  assert_int_equal(f->meter.processes, 2);
  second = worker_start_idle();
  assert_int_equal(pm__meter_look(&f->meter, 7, FOREVER), 0);
  assert_int_equal(f->meter.processes, 2);
  assert_int_equal(pm__meter_look(&f->meter, 8, FOREVER), 0);
  assert_int_equal(f->meter.processes, 3);
  worker_end(&second);
  second = worker_start_idle();
  /* Somebody has gone. */
  assert_int_equal(pm__meter_look(&f->meter, 8, FOREVER), 0);
  assert_int_equal(f->meter.processes, 3);
  worker_end(&first);
  worker_end(&second);
}

static void test_the_last_pid_tells_of_a_start(void **state) {
  pm__starts_t starts = {0};
  uint64_t before = pm__metrics_last_pid(&starts);
  worker_t w = worker_start_idle();

  (void)state;
  assert_true(before > 0);
  assert_true(pm__metrics_last_pid(&starts) != before);
  pm__metrics_close_starts(&starts);
  worker_end(&w);
}

/* ---- who has not run --------------------------------------------------------------------------------- */

/* Until it sleeps, and that is known. Then a mark stays where it is, unless usage is read. */
static pm__usage_t *mark(fixture_t *f, int pid) {
  enum { MARK = 4242 };

  for (int ppid = 0, tries = 0; ppid != MARK; tries++) {
    if (tries == 2000) fail_msg("this system does not tell whether a process has run");
    pm__member_t *one = (pm__member_t *)member(f, pid);
    assert_non_null(one);
    one->usage.ppid = MARK;
    usleep(2000);
    assert_int_equal(pm__meter_look(&f->meter, 7, FOREVER), 0);
    ppid = member(f, pid)->usage.ppid;
  }
  return &((pm__member_t *)member(f, pid))->usage;
}

static void test_usage_of_who_rests_is_not_read(void **state) {
  fixture_t *f = *state;
  worker_t other = worker_start();
  pm__usage_t *usage;
  uint64_t memory;

  assert_int_equal(pm__meter_look(&f->meter, 7, FOREVER), 0);
  usage = mark(f, other.pid);
  /* But for its memory, now and then. */
  memory = f->meter.memory;
  usage->memory = 1;
  f->meter.memory_at = pm__metrics_now();
  assert_int_equal(pm__meter_look(&f->meter, 7, FOREVER), 0);
  assert_true(f->meter.memory < memory);
  f->meter.memory_at = 0;
  assert_int_equal(pm__meter_look(&f->meter, 7, FOREVER), 0);
  assert_true(f->meter.memory == memory);
  assert_true(f->meter.memory_at == f->meter.looked_at);
  worker_do(&other, 'b');
  assert_about(look(f), WORKER_BURN_NS);
  assert_int_equal(member(f, other.pid)->usage.ppid, getpid());
  /* Threads may have run, or it itself all the time. */
  usage = mark(f, other.pid);
  usage->threads = 2;
  assert_int_equal(pm__meter_look(&f->meter, 7, FOREVER), 0);
  assert_int_equal(member(f, other.pid)->usage.ppid, getpid());
  usage = mark(f, other.pid);
  usage->running = true;
  assert_int_equal(pm__meter_look(&f->meter, 7, FOREVER), 0);
  assert_int_equal(member(f, other.pid)->usage.ppid, getpid());
  /* Without room for what tells of it. */
  mark(f, other.pid);
  f->room.most = 0;
  pm__meter_let_go(&f->meter);
  assert_int_equal(pm__meter_look(&f->meter, 7, FOREVER), 0);
  assert_int_equal(pm__meter_look(&f->meter, 7, FOREVER), 0);
  assert_int_equal(member(f, other.pid)->usage.ppid, getpid());
  worker_end(&other);
}

/* Nobody can have started anything, whatever has been started elsewhere. */
static void test_a_glance_at_those_who_rest(void **state) {
  fixture_t *f = *state;
  worker_t other = worker_start();
  uint64_t memory, listed_at;

  assert_false(pm__meter_glance(&f->meter));
  assert_int_equal(pm__meter_look(&f->meter, 7, FOREVER), 0);
  mark(f, f->command.pid);
  mark(f, other.pid);
  listed_at = f->meter.listed_at;
  f->meter.looked_at = f->meter.cpu.at = 0;
  assert_true(pm__meter_glance(&f->meter));
  assert_true(f->meter.looked_at > 0 && f->meter.cpu.at == f->meter.looked_at);
  assert_true(f->meter.listed_at == listed_at);
  assert_int_equal(f->meter.processes, 2);
  /* Memory is looked at now and then. */
  memory = f->meter.memory;
  member(f, other.pid)->usage.memory = 1;
  assert_true(pm__meter_glance(&f->meter));
  assert_true(f->meter.memory == memory);
  f->meter.memory = f->meter.own_memory = f->meter.memory_at = 0;
  assert_true(pm__meter_glance(&f->meter));
  assert_true(f->meter.memory == memory && member(f, other.pid)->usage.memory > 1);
  assert_true(f->meter.own_memory > 0 && f->meter.own_memory < memory);
  /* The list of children is not believed for ever. */
  f->meter.listed_at = 0;
  assert_false(pm__meter_glance(&f->meter));
  f->meter.listed_at = listed_at;
  /* Somebody was missed, or is still to be settled. */
  f->meter.lost_one = true;
  assert_false(pm__meter_glance(&f->meter));
  f->meter.lost_one = false;
  f->meter.ahead.system = 1;
  assert_false(pm__meter_glance(&f->meter));
  f->meter.ahead.system = 0;
  assert_true(pm__meter_glance(&f->meter));
  worker_do(&other, 'b');
  assert_false(pm__meter_glance(&f->meter));
  assert_false(pm__meter_glance(&f->meter));
  assert_about(look(f), WORKER_BURN_NS);
  mark(f, f->command.pid);
  mark(f, other.pid);
  assert_true(pm__meter_glance(&f->meter));
  worker_end(&other);
  assert_false(pm__meter_glance(&f->meter));
  assert_int_equal(pm__meter_look(&f->meter, 7, FOREVER), 0);
  assert_int_equal(f->meter.processes, 1);
}

static void await_sleep(int pid) {
  pm__metrics_source_t source;
  pm__usage_t usage = {.running = true};

  assert_int_equal(pm__metrics_open(pid, &source), 0);
  while (usage.running)
    assert_int_equal(pm__metrics_read(source, &usage), 0);
  pm__metrics_close(source);
}

/* After it was asked whether something has been started: who has run may have done so. */
static void test_who_is_started_just_before_a_look(void **state) {
  fixture_t *f = *state;
  worker_t parent = worker_start();

  assert_int_equal(pm__meter_look(&f->meter, 7, FOREVER), 0);
  mark(f, f->command.pid);
  mark(f, parent.pid);
  worker_do(&parent, 'f');
  await_sleep(parent.pid);
  assert_int_equal(pm__meter_look(&f->meter, 7, FOREVER), 0);
  assert_int_equal(f->meter.processes, 2);
  assert_true(pm__meter_is_at_rest(member(f, parent.pid)));
  assert_false(pm__meter_glance(&f->meter));
  assert_int_equal(pm__meter_look(&f->meter, 8, FOREVER), 0);
  assert_int_equal(f->meter.processes, 3);
  worker_end(&parent);
  assert_true(waitpid(-1, NULL, __WALL) != f->command.pid); /* what it has started */
}

/* Asleep, it is given another one. */
static void test_parent_of_who_rests(void **state) {
  fixture_t *f = *state;
  worker_t parent = worker_start(), other = worker_start();

  assert_int_equal(pm__meter_look(&f->meter, 7, FOREVER), 0);
  mark(f, other.pid)->ppid = parent.pid;
  assert_int_equal(pm__meter_look(&f->meter, 7, FOREVER), 0);
  assert_int_equal(member(f, other.pid)->usage.ppid, parent.pid);
  worker_end(&parent);
  assert_int_equal(pm__meter_look(&f->meter, 8, FOREVER), 0);
  assert_int_equal(member(f, other.pid)->usage.ppid, getpid());
  worker_end(&other);
}

/* It reads of the one that it has run, then finds the other gone and begins again. */
static void test_what_a_look_in_vain_has_read_is_not_lost(void **state) {
  fixture_t *f = *state;
  worker_t first = worker_start(), second = worker_start();
  pm__cpu_time_t before;

  assert_int_equal(pm__meter_look(&f->meter, 7, FOREVER), 0);
  mark(f, first.pid);
  mark(f, second.pid);
  before = f->meter.used;
  worker_do(&first, 'b');
  worker_end(&second);
  assert_int_equal(pm__meter_look(&f->meter, 7, FOREVER), 0);
  assert_about(f->meter.used.user + f->meter.used.system - before.user - before.system, WORKER_BURN_NS);
  assert_int_equal(f->meter.processes, 2);
  worker_end(&first);
}

/* ---- what runs out ---------------------------------------------------------------------------------- */

static void test_no_descriptor(void **state) {
  fixture_t *f = *state;
  worker_t other = worker_start();
  struct rlimit old = limit_fds(0);

  assert_int_equal(pm__meter_look(&f->meter, 0, FOREVER), UV_EMFILE);
  assert_false(f->meter.complete);
  setrlimit(RLIMIT_NOFILE, &old);
  look(f);
  assert_int_equal(f->meter.processes, 2);
  /* Who is known stays so. */
  old = limit_fds(0);
  worker_do(&other, 'b');
  assert_about(look(f), WORKER_BURN_NS);
  assert_int_equal(f->meter.processes, 2);
  setrlimit(RLIMIT_NOFILE, &old);
  worker_end(&other);
}

static void test_no_memory(void **state) {
  fixture_t *f = *state;
  worker_t workers[MANY];
  unsigned long n = 1;

  start_many(workers);
  for (;; n++) {
    int r;
    pm__meter_close(&f->meter);
    open_meter(f, getpid());
    alloc_fail_nth(n);
    r = pm__meter_look(&f->meter, 0, FOREVER);
    assert_true(r == 0 || r == UV_ENOMEM);
    if (alloc_seen() < n) break;
  }
  alloc_fail_nth(0);
  assert_true(n > 3);
  assert_int_equal(f->meter.processes, MANY + 1);
  end_many(workers);
}

/* Nobody keeps the descriptors of those for which there was no room any more: see tear_down. */
static void test_no_memory_for_those_who_are_known(void **state) {
  fixture_t *f = *state;
  worker_t workers[MANY];
  unsigned long n = 1;

  start_many(workers);
  for (;; n++) {
    pm__meter_close(&f->meter);
    assert_int_equal(f->room.open, 0);
    open_meter(f, getpid());
    look(f);
    alloc_fail_nth(n);
    int r = pm__meter_look(&f->meter, 0, FOREVER);
    assert_true(r == 0 || r == UV_ENOMEM);
    if (alloc_seen() < n) break;
  }
  alloc_fail_nth(0);
  assert_true(n > 3);
  end_many(workers);
}

#define METER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      METER_TEST(test_cpu_of_all),
      METER_TEST(test_memory_of_all),
      METER_TEST(test_who_has_ended_is_no_spike),
      METER_TEST(test_what_the_last_look_did_not_see_is_not_lost),
      METER_TEST(test_who_was_never_seen_is_counted),
      METER_TEST(test_parent_that_does_not_wait),
      METER_TEST(test_waited_for_after_the_look),
      METER_TEST(test_pid_given_anew),
      METER_TEST(test_another_start_time_is_somebody_else),
      METER_TEST(test_pid_given_to_a_stranger),
      METER_TEST(test_command_that_has_been_reaped),
      METER_TEST(test_descendants_and_those_who_lose_their_parent),
      METER_TEST(test_slices),
      METER_TEST(test_what_the_first_look_has_seen_so_far),
      METER_TEST(test_a_look_that_is_given_up),
      METER_TEST(test_descriptors_are_bounded),
      METER_TEST(test_children_are_listed_when_something_was_started),
      METER_TEST(test_the_last_pid_tells_of_a_start),
      METER_TEST(test_usage_of_who_rests_is_not_read),
      METER_TEST(test_a_glance_at_those_who_rest),
      METER_TEST(test_who_is_started_just_before_a_look),
      METER_TEST(test_parent_of_who_rests),
      METER_TEST(test_what_a_look_in_vain_has_read_is_not_lost),
      METER_TEST(test_no_descriptor),
      METER_TEST(test_no_memory),
      METER_TEST(test_no_memory_for_those_who_are_known),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
