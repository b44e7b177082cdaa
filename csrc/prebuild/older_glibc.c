/*
 * Lets an addon that was linked on a system with a new glibc load on one with an
 * older glibc: what glibc has given new versions since 2.28, which Node's own
 * binaries ask for, is defined here by what 2.28 has. The symbols are hidden
 * (-fvisibility), so that nobody else in the process gets them.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define FIRST_VERSION "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define FIRST_VERSION "GLIBC_2.17"
#else
#error "which glibc was the first for this processor?"
#endif

/* In libdl until 2.34, which Node has loaded; in libc, too, since then. */
__asm__(".symver first_dladdr, dladdr@" FIRST_VERSION);
int first_dladdr(const void *address, Dl_info *info);

int dladdr(const void *address, Dl_info *info) {
  return first_dladdr(address, info);
}

/* Inline in the headers until 2.33. On these processors the kernel's struct stat
 * is the C library's. */
int fstatat64(int dir, const char *path, struct stat64 *out, int flags) {
  return (int)syscall(SYS_newfstatat, dir, path, out, flags);
}

int fstat64(int fd, struct stat64 *out) {
  return (int)syscall(SYS_fstat, fd, out);
}
