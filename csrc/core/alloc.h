/*
 * Memory, in one place so that the tests can make each allocation fail in turn.
 * Same contracts as malloc(3): NULL when there is none, free(NULL) is fine.
 */
#ifndef PM_CORE_ALLOC_H
#define PM_CORE_ALLOC_H

#include <stddef.h>

void *pm__malloc(size_t size);
void *pm__calloc(size_t count, size_t size);
void *pm__realloc(void *ptr, size_t size);
void pm__free(void *ptr);

#endif /* PM_CORE_ALLOC_H */
