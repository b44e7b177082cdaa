/* The entries of an open directory, without libc. */
#ifndef PM_PLATFORM_RAW_DIRECTORY_H
#define PM_PLATFORM_RAW_DIRECTORY_H

/* Calls each for every entry, "." and ".." included. 0, or a negative errno. */
long pm__raw_each_entry(long directory, void (*each)(void *arg, long directory, const char *name), void *arg);

#endif /* PM_PLATFORM_RAW_DIRECTORY_H */
