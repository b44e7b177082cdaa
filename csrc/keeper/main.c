/* The keeper's program: its arguments, and its beginning without libc. */
#define _GNU_SOURCE
#include <linux/prctl.h>
#include <stddef.h>

#include "../platform/raw_syscall.h"
#include "../platform/raw_text.h"
#include "keeper.h"

/* How a wrong call ends: behind the numbers of the needs. */
enum { EXIT_USAGE = 64 };

static bool is_probe(const char *argument) {
  const char *word = PM__KEEPER_PROBE;
  while (*word && *argument == *word) {
    argument++;
    word++;
  }
  return *argument == *word;
}

static int keeper_main(int argc, char **argv) {
  long value[5];
  if (argc == 2 && is_probe(argv[1])) return (int)pm__keeper_probe();
  if (argc != 6) return EXIT_USAGE;
  for (int i = 0; i < 5; i++) {
    const char *end;
    value[i] = pm__raw_number(argv[i + 1], &end);
    if (*end || end == argv[i + 1]) return EXIT_USAGE;
  }
  /* Not from the file's name: it is executed by its descriptor. */
  pm__raw2(SYS_prctl, PR_SET_NAME, PM__RAW_POINTER(PM__KEEPER_COMM));
  pm__keeper_t k = {.self = (int)pm__raw1(SYS_getpid, 0),
                    .parent = (int)value[0],
                    .command = (int)value[1],
                    .grace = value[2],
                    .signum = (int)value[3],
                    .flags = (int)value[4]};
  pm__keeper_run(&k);
  return 0;
}

#ifdef PM_KEEPER_LIBC

int main(int argc, char **argv) {
  return keeper_main(argc, argv);
}

#else

/* Where the kernel enters: argc and argv lie on the stack, which is aligned as
 * the ABIs want it at a call. */
#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\txorl %ebp, %ebp\n\tmovq %rsp, %rdi\n\tandq $-16, %rsp\n\tcall pm__keeper_start\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x0, sp\n\tbl pm__keeper_start\n");
#else
#error "define PM_KEEPER_LIBC: there is no beginning without libc for this processor"
#endif

void pm__keeper_start(const long *stack);

void pm__keeper_start(const long *stack) {
  int r = keeper_main((int)stack[0], (char **)(stack + 1));
  for (;;)
    pm__raw1(SYS_exit_group, r);
}

/* What compilers call on their own account (gcc's manual, -ffreestanding). gcc
 * must not see these loops for what they are, and have them call themselves. */
#ifndef __clang__
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

void *memset(void *to, int byte, size_t n);
void *memcpy(void *to, const void *from, size_t n);

void *memset(void *to, int byte, size_t n) {
  for (unsigned char *at = to; n > 0; n--)
    *at++ = (unsigned char)byte;
  return to;
}

void *memcpy(void *to, const void *from, size_t n) {
  const unsigned char *byte = from;
  for (unsigned char *at = to; n > 0; n--)
    *at++ = *byte++;
  return to;
}

#endif
