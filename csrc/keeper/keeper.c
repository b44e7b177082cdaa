#define _GNU_SOURCE
#include "keeper.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>

#include "../platform/raw_syscall.h"
#include "../platform/tree.h"

/* ms between looks at the tree while it is being ended: first, and at most. */
enum { FIRST_LOOK = 1, LAST_LOOK = 64 };

/* What a guard gives the inner keeper beyond the time that one has. */
enum { GUARD_PATIENCE = 500 };

static long now_ms(void) {
  struct timespec t = {0};
  pm__raw2(SYS_clock_gettime, CLOCK_MONOTONIC, PM__RAW_POINTER(&t));
  return (long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool has(const pm__keeper_t *k, int flag) {
  return (k->flags & flag) != 0;
}

/* ---- what it watches ------------------------------------------------------------ */

/* The number of a parent that ended in between may be another process's by now;
 * getppid then gives another one, since a subreaper's parent changes too. */
static int open_parent(const pm__keeper_t *k) {
  long fd = pm__raw2(SYS_pidfd_open, k->parent, 0);
  if (fd >= 0 && pm__raw1(SYS_getppid, 0) != k->parent) {
    pm__raw1(SYS_close, fd);
    return -1;
  }
  return (int)fd;
}

/* SIGCHLD, and what people send to end a program: the tree is asked, without a
 * deadline as long as the host lives. That is often asked to end by the same hand
 * (systemd signals all of a unit), and it is for the host to say how long its trees
 * may take. The others stay blocked. */
static int open_signals(void) {
  uint64_t set = 0;
  const int wanted[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT};
  for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
    set |= UINT64_C(1) << (wanted[i] - 1);
  return (int)pm__raw4(SYS_signalfd4, -1, PM__RAW_POINTER(&set), PM__RAW_SIGSET_SIZE, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void close_fd(int *fd) {
  if (*fd >= 0) pm__raw1(SYS_close, *fd);
  *fd = -1;
}

/* ---- phases --------------------------------------------------------------------- */

static void enter(pm__keeper_t *k, pm__keeper_phase_t phase) {
  if (phase <= k->phase) return;
  k->phase = phase;
  k->interval = FIRST_LOOK;
}

/* The host has gone: the tree gets its grace, unless it is being killed already. */
static void end_tree(pm__keeper_t *k) {
  long grace = has(k, PM__KEEPER_GUARD) ? k->grace + GUARD_PATIENCE : k->grace;
  if (k->deadline == 0) k->deadline = now_ms() + grace;
  enter(k, k->grace > 0 ? PM__KEEPER_ASKS : PM__KEEPER_KILLS);
}

static void lose_parent(pm__keeper_t *k) {
  k->parent_gone = true;
  close_fd(&k->parent_fd);
  end_tree(k);
}

/* A pidfd may be refused for want of descriptors in the whole system: then the
 * parent is asked for again and again, and tried to be watched. */
static void look_at_parent(pm__keeper_t *k) {
  if (k->parent_gone || k->parent_fd >= 0) return;
  k->parent_fd = open_parent(k);
  if (k->parent_fd < 0 && pm__raw1(SYS_getppid, 0) != k->parent) lose_parent(k);
}

/* That, too, is tried until it is had. Meanwhile ends are looked for. */
static void look_at_signals(pm__keeper_t *k) {
  if (k->signal_fd < 0) k->signal_fd = open_signals();
}

/* ---- the command and the others ------------------------------------------------- */

static void note_end(pm__keeper_t *k, int status, const struct rusage *usage) {
  k->command_ended = true;
  k->report.status = status;
  k->report.user = (uint64_t)usage->ru_utime.tv_sec * 1000000 + (uint64_t)usage->ru_utime.tv_usec;
  k->report.system = (uint64_t)usage->ru_stime.tv_sec * 1000000 + (uint64_t)usage->ru_stime.tv_usec;
  k->report.max_rss = (uint64_t)usage->ru_maxrss;
  /* The inner keeper ends by itself when nothing is left, or what is left is to be
   * left alone; else it was killed, and nobody is there to ask politely. */
  bool clean = status == 0 && has(k, PM__KEEPER_LEAVE_REST);
  if (has(k, PM__KEEPER_GUARD) && !clean) enter(k, PM__KEEPER_KILLS);
}

/* Takes every zombie away. Whether anything is left. */
static bool reap(pm__keeper_t *k) {
  for (;;) {
    int status = 0;
    struct rusage usage = {0};
    long pid = pm__raw4(SYS_wait4, -1, PM__RAW_POINTER(&status), WNOHANG | __WALL, PM__RAW_POINTER(&usage));
    if (pid == 0) return true;
    if (pid < 0) return pid != -ECHILD;
    k->reaped = true;
    if (pid == k->command && !k->command_ended) note_end(k, status, &usage);
  }
}

/* A host that does not read any more is gone, or will be noticed to be. */
static void tell_host(pm__keeper_t *k, bool left) {
  bool is_news = !k->told_host || (k->report.left && !left);
  if (!k->command_ended || !is_news) return;
  k->told_host = true;
  k->report.left = left;
  if (k->socket_fd >= 0) pm__raw3(SYS_write, k->socket_fd, PM__RAW_POINTER(&k->report), sizeof(k->report));
}

/* A child that may not be signalled (it has become another user's) hands over
 * nothing: what it has started is looked for below it. */
static void kill_all(const pm__keeper_t *k) {
  long refused = 0;
  /* Without /proc there is still the one that is known by its pid. */
  if (pm__tree_kill_children(&refused) < 0 && !k->command_ended) pm__raw2(SYS_kill, k->command, SIGKILL);
  if (refused > 0) pm__keeper_signal_all(k, SIGKILL);
}

/* What is due in the present phase. */
static void act(pm__keeper_t *k) {
  if (k->phase == PM__KEEPER_ASKS && k->deadline != 0 && now_ms() >= k->deadline) enter(k, PM__KEEPER_KILLS);
  bool progress = false;
  if (k->phase == PM__KEEPER_ASKS) progress = pm__keeper_ask(k, k->command_ended || !has(k, PM__KEEPER_TO_COMMAND)) > 0;
  if (k->phase == PM__KEEPER_KILLS) {
    /* Every death hands over its children: then there is somebody to kill at once. */
    progress = k->reaped;
    kill_all(k);
  }
  if (progress)
    k->interval = FIRST_LOOK;
  else if (k->interval < LAST_LOOK)
    k->interval *= 2;
  k->reaped = false;
}

/* ---- what it hears --------------------------------------------------------------- */

static void obey(pm__keeper_t *k, const pm__keeper_order_t *order) {
  switch (order->kind) {
  case PM__KEEPER_TERMINATE:
    enter(k, PM__KEEPER_ASKS);
    break;
  case PM__KEEPER_KILL:
    enter(k, PM__KEEPER_KILLS);
    break;
  case PM__KEEPER_TAKE_REST:
    k->flags &= ~PM__KEEPER_LEAVE_REST;
    break;
  case PM__KEEPER_SIGNAL:
    if (order->tree)
      pm__keeper_signal_all(k, order->signum);
    else if (!k->command_ended)
      pm__raw2(SYS_kill, k->command, order->signum);
    break;
  default:
    break;
  }
}

static void read_socket(pm__keeper_t *k) {
  pm__keeper_order_t order;
  long n = pm__raw3(SYS_read, k->socket_fd, PM__RAW_POINTER(&order), sizeof(order));
  if (n == (long)sizeof(order)) {
    obey(k, &order);
  } else if (n != -EINTR && n != -EAGAIN) {
    close_fd(&k->socket_fd);
    end_tree(k);
  }
}

static bool has_orders(const pm__keeper_t *k) {
  const struct timespec now = {0};
  struct pollfd fd = {.fd = k->socket_fd, .events = POLLIN};
  return pm__raw5(SYS_ppoll, PM__RAW_POINTER(&fd), 1, PM__RAW_POINTER(&now), 0, PM__RAW_SIGSET_SIZE) > 0;
}

static bool wants_to_leave(const pm__keeper_t *k) {
  return k->command_ended && has(k, PM__KEEPER_LEAVE_REST) && k->phase == PM__KEEPER_WATCHES;
}

/* Whether what is left may be left alone. A host that wants it ended has said so before
 * the command could end of that; but the end may have been seen first. */
static bool leaves(pm__keeper_t *k) {
  while (wants_to_leave(k) && has_orders(k))
    read_socket(k);
  return wants_to_leave(k);
}

static void read_signals(pm__keeper_t *k) {
  struct signalfd_siginfo info[4] = {0};
  long n;
  while ((n = pm__raw3(SYS_read, k->signal_fd, PM__RAW_POINTER(info), sizeof(info))) > 0) {
    for (size_t i = 0; i < (size_t)n / sizeof(info[0]); i++)
      if (info[i].ssi_signo != SIGCHLD) enter(k, PM__KEEPER_ASKS);
  }
}

/* How long may be waited; NULL: until something happens. */
static struct timespec *wait_time(const pm__keeper_t *k, struct timespec *t) {
  bool unwatched = k->signal_fd < 0 || (k->parent_fd < 0 && !k->parent_gone);
  if (k->phase == PM__KEEPER_WATCHES && !unwatched) return NULL;
  long ms = k->phase == PM__KEEPER_WATCHES ? LAST_LOOK : k->interval;
  if (k->phase == PM__KEEPER_ASKS && k->deadline != 0) {
    long left = k->deadline - now_ms();
    if (left < ms) ms = left > 0 ? left : 0;
  }
  *t = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  return t;
}

static void wait_for_news(pm__keeper_t *k) {
  struct timespec t;
  struct pollfd fds[] = {{.fd = k->signal_fd, .events = POLLIN},
                         {.fd = k->socket_fd, .events = POLLIN},
                         {.fd = k->parent_fd, .events = POLLIN}};
  long r = pm__raw5(SYS_ppoll, PM__RAW_POINTER(fds), 3, PM__RAW_POINTER(wait_time(k, &t)), 0, PM__RAW_SIGSET_SIZE);
  if (r <= 0) return;
  if (fds[0].revents) read_signals(k);
  if (fds[1].revents) read_socket(k);
  if (fds[2].revents && !k->parent_gone) lose_parent(k);
}

void pm__keeper_run(pm__keeper_t *k) {
  k->socket_fd = has(k, PM__KEEPER_GUARD) ? -1 : PM__KEEPER_SOCKET;
  k->signal_fd = k->parent_fd = -1;
  for (;;) {
    look_at_parent(k);
    look_at_signals(k);
    bool left = reap(k);
    if (leaves(k)) left = false;
    tell_host(k, left);
    if (!left) return;
    act(k);
    wait_for_news(k);
  }
}
