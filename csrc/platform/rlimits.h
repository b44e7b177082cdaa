/* What a command is limited to from its first instruction on (setrlimit(2)). */
#ifndef PM_PLATFORM_RLIMITS_H
#define PM_PLATFORM_RLIMITS_H

typedef enum {
  PM__LIMIT_CPU,           /* seconds of CPU: SIGXCPU, five seconds later SIGKILL */
  PM__LIMIT_FILE_SIZE,     /* bytes of a file that it writes: SIGXFSZ */
  PM__LIMIT_OPEN_FILES,    /* descriptors */
  PM__LIMIT_PROCESSES,     /* processes and threads of its user */
  PM__LIMIT_ADDRESS_SPACE, /* bytes of virtual memory */
  PM__LIMIT_DATA_SIZE,     /* bytes of heap and private mappings */
  PM__LIMIT_STACK_SIZE,    /* bytes of the main thread's stack */
  PM__LIMIT_LOCKED_MEMORY, /* bytes */
  PM__LIMIT_CORE_SIZE,     /* bytes of a core dump */
  PM__LIMIT_COUNT
} pm__limit_t;

typedef struct pm__limits {
  double value[PM__LIMIT_COUNT];     /* INFINITY: as the host's */
  const char *name[PM__LIMIT_COUNT]; /* for errors */
  int nice;                          /* added to the host's; setpriority(2) */
  const char *nice_name;
} pm__limits_t;

#endif /* PM_PLATFORM_RLIMITS_H */
