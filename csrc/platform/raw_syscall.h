/*
 * System calls without libc around them, for a child that shares its parent's
 * memory: libc's wrappers write errno, which is the suspended parent thread's,
 * and may be cancellation points or intercepted by sanitizers; and for the
 * keeper, which has no libc. Results are as the kernel gives them: negative
 * errno on failure.
 */
#ifndef PM_PLATFORM_RAW_SYSCALL_H
#define PM_PLATFORM_RAW_SYSCALL_H

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Numbers that older headers lack; from Linux 5 on they are the same on every
 * architecture. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1U << 1)
#endif

/* The kernel's own struct of rt_sigaction(2), all zero for SIG_DFL on every
 * architecture; larger than any of them, so that its layout does not matter. */
typedef struct pm__raw_sigaction {
  unsigned long words[8];
} pm__raw_sigaction_t;

/* Bytes of the kernel's set of signals. */
enum { PM__RAW_SIGSET_SIZE = 8 };

/* For functions that run in a child which shares the host's memory: sanitizers'
 * instrumentation would run on a foreign stack, in a process that is half
 * another one. */
#if defined(__clang__)
#define PM__RAW __attribute__((no_sanitize("address", "thread", "undefined"), noinline))
#else
#define PM__RAW __attribute__((no_sanitize_address, no_sanitize_thread, no_sanitize_undefined, noinline))
#endif

/* A pointer as an argument. */
#define PM__RAW_POINTER(p) ((long)(intptr_t)(p))

#if defined(__x86_64__)

static inline long pm__raw5(long nr, long a, long b, long c, long d, long e) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                   : "rcx", "r11", "memory", "cc");
  return result;
}

#elif defined(__aarch64__)

static inline long pm__raw5(long nr, long a, long b, long c, long d, long e) {
  register long x8 __asm__("x8") = nr;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory", "cc");
  return x0;
}

#else

/* Other processors go through libc; the spawner saves and restores errno. */
static inline long pm__raw5(long nr, long a, long b, long c, long d, long e) {
  long result = syscall(nr, a, b, c, d, e);
  return result == -1 ? -errno : result;
}

#endif

static inline long pm__raw4(long nr, long a, long b, long c, long d) {
  return pm__raw5(nr, a, b, c, d, 0);
}

static inline long pm__raw3(long nr, long a, long b, long c) {
  return pm__raw4(nr, a, b, c, 0);
}

static inline long pm__raw2(long nr, long a, long b) {
  return pm__raw4(nr, a, b, 0, 0);
}

static inline long pm__raw1(long nr, long a) {
  return pm__raw4(nr, a, 0, 0, 0);
}

/* Gives a signal its default disposition. Word by word: a compiler makes a memset of
 * an initializer. */
PM__RAW __attribute__((unused)) static long pm__raw_default_action(int signum) {
  volatile pm__raw_sigaction_t action;
  for (unsigned i = 0; i < sizeof(action.words) / sizeof(action.words[0]); i++)
    action.words[i] = 0;
  return pm__raw4(SYS_rt_sigaction, signum, PM__RAW_POINTER(&action), 0, PM__RAW_SIGSET_SIZE);
}

#endif /* PM_PLATFORM_RAW_SYSCALL_H */
