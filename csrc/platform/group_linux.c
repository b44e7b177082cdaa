#define _GNU_SOURCE
#include "group.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proc_stat.h"

static bool is_living_member(int proc, const char *pid, int pgid) {
  char path[64];
  char text[1024];
  snprintf(path, sizeof(path), "%.20s/stat", pid);
  int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t n = read(fd, text, sizeof(text));
  close(fd);
  pm__proc_stat_t stat;
  if (n <= 0 || pm__proc_stat_parse(text, (size_t)n, &stat) != 0) return false;
  return stat.pgrp == pgid && stat.state != 'Z' && stat.state != 'X';
}

int pm__group_members(int pgid, int *pids, int max) {
  int count = 0;
  DIR *dir = opendir("/proc");
  if (!dir) return 0;
  const struct dirent *entry;
  while ((entry = readdir(dir))) {
    if (!isdigit((unsigned char)entry->d_name[0])) continue;
    if (!is_living_member(dirfd(dir), entry->d_name, pgid)) continue;
    if (count < max) pids[count] = atoi(entry->d_name);
    count++;
  }
  closedir(dir);
  return count;
}
