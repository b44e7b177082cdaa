/*
 * System calls without libc around them, for a child that shares its parent's
 * memory: libc's wrappers write errno, which is the suspended parent thread's,
 * and may be cancellation points or intercepted by sanitizers. Results are as
 * the kernel gives them: negative errno on failure.
 */
#ifndef PM_PLATFORM_RAW_SYSCALL_H
#define PM_PLATFORM_RAW_SYSCALL_H

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)

static inline long pm__raw4(long nr, long a, long b, long c, long d) {
  long result;
  register long r10 __asm__("r10") = d;
  __asm__ volatile("syscall" : "=a"(result) : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory", "cc");
  return result;
}

#elif defined(__aarch64__)

static inline long pm__raw4(long nr, long a, long b, long c, long d) {
  register long x8 __asm__("x8") = nr;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory", "cc");
  return x0;
}

#else

/* Other processors go through libc; the spawner saves and restores errno. */
static inline long pm__raw4(long nr, long a, long b, long c, long d) {
  long result = syscall(nr, a, b, c, d);
  return result == -1 ? -errno : result;
}

#endif

static inline long pm__raw3(long nr, long a, long b, long c) {
  return pm__raw4(nr, a, b, c, 0);
}

static inline long pm__raw2(long nr, long a, long b) {
  return pm__raw4(nr, a, b, 0, 0);
}

static inline long pm__raw1(long nr, long a) {
  return pm__raw4(nr, a, 0, 0, 0);
}

#endif /* PM_PLATFORM_RAW_SYSCALL_H */
