/* A directory that only its owner may enter. */
#ifndef PM_PLATFORM_PRIVATE_DIRECTORY_H
#define PM_PLATFORM_PRIVATE_DIRECTORY_H

#include <stddef.h>

/* Makes one (mode 0700, whatever the umask) in the system's place for temporary
 * files and writes its path. A negative UV_E*: nothing was made. */
int pm__private_directory_make(char *path, size_t size);

/* Removes it and all that is in it. Symbolic links are removed, never followed,
 * so nothing outside can be touched. Returns the first error; goes on past it. */
int pm__private_directory_remove(const char *path);

#endif /* PM_PLATFORM_PRIVATE_DIRECTORY_H */
