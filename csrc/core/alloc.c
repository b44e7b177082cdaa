#include "alloc.h"

#include <stdlib.h>

#ifdef PM_TEST_ALLOC
/* Test builds only: the test program decides which allocation fails. */
#include <stdbool.h>
bool pm__test_alloc_fails(void);
#define REFUSED() pm__test_alloc_fails()
#else
#define REFUSED() 0
#endif

void *pm__malloc(size_t size) {
  return REFUSED() ? NULL : malloc(size);
}

void *pm__calloc(size_t count, size_t size) {
  return REFUSED() ? NULL : calloc(count, size);
}

void *pm__realloc(void *ptr, size_t size) {
  return REFUSED() ? NULL : realloc(ptr, size);
}

void pm__free(void *ptr) {
  free(ptr);
}
