/* Names of signals. */
#ifndef PM_CORE_SIGNAL_NAME_H
#define PM_CORE_SIGNAL_NAME_H

/* "SIGTERM"; "SIGRT" for a real-time one and "SIGUNKNOWN" for what the table
 * lacks; NULL for 0. A constant. */
const char *pm__signal_name(int signum);

#endif /* PM_CORE_SIGNAL_NAME_H */
