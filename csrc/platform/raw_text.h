/*
 * Text without libc, for the keeper and for a child that shares the host's
 * memory. Room is the caller's affair.
 */
#ifndef PM_PLATFORM_RAW_TEXT_H
#define PM_PLATFORM_RAW_TEXT_H

enum { PM__RAW_DIGITS = 20 };

/* Appends text, or a number in decimal, at `at`; returns where the terminating
 * zero stands. */
char *pm__raw_put(char *at, const char *text);
char *pm__raw_put_number(char *at, unsigned long n);

/* The number that text begins with, 0 if with none; *end (may be NULL) is the
 * first byte that is no digit. */
long pm__raw_number(const char *text, const char **end);

#endif /* PM_PLATFORM_RAW_TEXT_H */
