/* Which files a command may be: what execvp(3) would try, worked out before
 * the spawn since nothing may be put together between clone and execve. */
#ifndef PM_CORE_CANDIDATES_H
#define PM_CORE_CANDIDATES_H

#include "../../pm.h"

/* A command with a '/' is itself the only candidate. Else there is one for each
 * element of path, in order: "element/command", and "./command" for an empty
 * element. A path that is not given is "/usr/local/bin:/usr/bin:/bin". A name
 * that is too long for any file has its first candidate only.
 *
 * Sets *bytes to the size of all of them with their terminators. Returns how
 * many there are, at least 1. */
size_t pm__candidates_measure(pm_str_t command, pm_str_t path, size_t *bytes);

/* Writes as many pointers to list and as many bytes to out as measure said of
 * the same arguments. */
void pm__candidates_write(pm_str_t command, pm_str_t path, char **list, char *out);

#endif /* PM_CORE_CANDIDATES_H */
