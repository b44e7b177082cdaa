#include "raw_directory.h"

#include "raw_syscall.h"

typedef struct {
  uint64_t ino;
  int64_t off;
  unsigned short reclen;
  unsigned char type;
  char name[];
} linux_dirent64_t;

PM__RAW long pm__raw_each_entry(long directory, void (*each)(void *arg, long directory, const char *name), void *arg) {
  char buffer[1024] __attribute__((aligned(8)));
  long n;
  while ((n = pm__raw3(SYS_getdents64, directory, PM__RAW_POINTER(buffer), sizeof(buffer))) > 0) {
    for (long at = 0; at < n;) {
      const linux_dirent64_t *entry = (const linux_dirent64_t *)(buffer + at);
      each(arg, directory, entry->name);
      at += entry->reclen;
    }
  }
  return n;
}
