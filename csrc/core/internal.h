/*
 * The engine's own structures and who owns what:
 *
 *   manager ─owns→ processes (records, by id) ─owns→ the present run, the logs
 *
 * A run is one start of a command: its watch, its pipes, its sample of metrics.
 * Memory that holds libuv handles is freed only from their close callbacks, so
 * nothing that a callback of the embedder does can free what is in use further
 * up the stack. A process is counted by references: one for being known to the
 * manager, one for its timer, one for each run and each queued event.
 */
#ifndef PM_CORE_INTERNAL_H
#define PM_CORE_INTERNAL_H

#include <stdatomic.h>

#include "../platform/metrics.h"
#include "../platform/spawn.h"
#include "../platform/stream.h"
#include "../pm.h"
#include "launch/command.h"
#include "logs/log_ring.h"
#include "metrics/history.h"
#include "metrics/meter.h"
#include "metrics/tally.h"
#include "streams/messages.h"

typedef struct pm__process pm__process_t;
typedef struct pm__run pm__run_t;
typedef struct pm__log_file pm__log_file_t;
typedef struct pm__shares pm__shares_t;

/* ---- one stream of output ------------------------------------------------ */

typedef struct pm__output pm__output_t;

struct pm__output {
  pm__pipe_t pipe;
  pm__run_t *run;
  pm_stream_t stream;
  unsigned carried; /* bytes of a character that the last chunk cut */
  char carry[4];
  bool paused;
  bool has_short_lines;
  pm__framer_t framer;    /* of stdout, for messages */
  uint64_t complained_at; /* uv_hrtime, of messages that are too long; 0: never */
  uint64_t lost_untold;   /* since then */

  /* See pacer.c. */
  bool resting;
  bool grown;
  unsigned haste;   /* reads in a row that came soon after another */
  uint64_t read_at; /* uv_hrtime of the last read */
  pm__output_t *rest_prev, *rest_next;
};

/* ---- stdin ---------------------------------------------------------------- */

typedef struct pm__chunk pm__chunk_t;

typedef struct pm__input {
  pm__pipe_t pipe;
  pm__run_t *run;
  pm__chunk_t *first, *last;
  size_t queued;
  uint64_t unsent;   /* bytes given up */
  bool end_pending;  /* close when the queue is empty */
  bool drain_wanted; /* a write was answered with "wait" */
  bool flush_due;    /* in the manager's list of those whose turn ends when its work is done */
  bool write_due;    /* then what is queued is written: nobody waits for room yet */
  bool grown;        /* the pipe has been made larger, or that was tried */
  unsigned sent;     /* messages of this turn */
  unsigned alone;    /* turns in a row with one message, up to SURELY_ALONE */
  struct pm__input *flush_next;
} pm__input_t;

/* ---- memory that is limited ------------------------------------------------- */

/* How much a run uses, looked at for the sake of a limit: see memory_limit.c. Sizes in
 * bytes, times of uv_hrtime. */
typedef struct pm__memory_watch {
  bool on;
  pm__run_t *prev, *next;  /* those that are watched; whose turn it is comes first */
  pm__meter_t meter;       /* of its own: its looks end no window of cpu */
  uint64_t looked_at, due; /* the last look, 0: none yet; the next */
  uint64_t resident;       /* at the last look; shared pages are counted in each process */
  double growth;           /* of that, a ns */
  uint64_t share;          /* proportional, as it was read last; 0: never */
  uint64_t share_resident; /* the least that was resident then or since */
  uint64_t read_resident;  /* when the present reading began */
  uint64_t share_until;    /* so long it is believed */
  uint64_t share_due;      /* not to be read again before */
  uint64_t share_at;       /* when it was read last; 0: never */
  bool share_is_part;      /* no more was read, since that was enough */
  bool wants_share;        /* waits for that to be read */
  bool is_read;            /* it is being read */
  bool over;               /* that it has reached its limit has been told */
  const char *ended_for;   /* the limit because of which it is being ended; NULL: none */
  uint64_t kill_at;        /* if it uses so much although it is being ended, SIGKILL at once */
} pm__memory_watch_t;

/* Of a manager. */
typedef struct pm__memory {
  pm__meter_room_t room;
  uv_timer_t timer;
  pm__run_t *first, *last;
  double total;    /* of all, as far as it is known, when it was compared last */
  uint64_t pace;   /* a look at each at least so often, ns */
  bool over;       /* that maxTotalMemory was reached has been told */
  bool collecting; /* the share of each is being read, to compare the total */
  uint64_t collect_began;
  uint64_t spent;        /* by a thread on reading them, ns */
  uint64_t collect_due;  /* not to be begun again before */
  pm__shares_t *reading; /* the thread pool is at work; NULL: it is not */
} pm__memory_t;

/* ---- starts that wait for their turn ---------------------------------------- */

/* See spawn_queue.c. */
typedef struct pm__spawn_queue {
  uv_timer_t timer;
  pm__process_t *first, *last;
  unsigned count;
  uint64_t next_at; /* uv_hrtime: when the next start would be due if all were at even distances */
} pm__spawn_queue_t;

/* ---- who is metered ----------------------------------------------------------- */

/* What the last look at a run saw. Before the first is complete: zeros, but for what it has seen of memory
 * so far. */
typedef struct pm__seen {
  bool complete; /* there has been one */
  bool looking;  /* one is under way */
  uint64_t at;   /* uv_hrtime; 0: never */
  pm_metrics_t metrics;
} pm__seen_t;

/* See metering.c, and metering_thread.c. Whoever has the lock has all that follows it, and the meters of
 * runs. */
typedef struct pm__metering {
  /* The loop's. */
  bool by_thread;             /* rounds are the thread's now */
  bool has_thread, has_async; /* they have been started */
  bool threadless;            /* they could not be */
  uv_thread_t thread;
  uv_async_t finished; /* it has a round that the loop is to hear of */
  void (*on_round)(pm_manager_t *m, uint64_t began, uint64_t ended);

  atomic_uint audience; /* what the loop does with rounds */
  atomic_uint wanted;   /* the loop's thread waits for the lock, or has it */
  uv_mutex_t seen_lock; /* of what was seen of each run, for as long as it takes to copy that */

  uv_mutex_t lock;
  uv_cond_t wake; /* of the thread, when there is more to do */
  pm__meter_room_t room;
  pm__run_t *first, *last;
  size_t count;
  uint64_t rounds;         /* that have begun */
  pm__run_t *cursor;       /* whose turn it is in the round; NULL: all have had it */
  uint64_t last_pid;       /* pm__metrics_last_pid as of the round */
  unsigned in_round;       /* processes that it has seen so far */
  pm_snapshot_t *snapshot; /* of the round, owned; NULL: none is wanted, or there was no memory */
  size_t last_count;       /* how many were in the last one */

  bool quit;               /* the thread is to end */
  bool running;            /* it is making a round, and is to go on */
  bool requested;          /* it is to make one, of which nobody is told */
  bool pending;            /* the loop has not heard yet of the last */
  uint64_t interval, next; /* ns; when it is due, uv_hrtime; UINT64_MAX: never */
  uint64_t began, ended;   /* of the one that is pending */
} pm__metering_t;

/* ---- one start of a command ------------------------------------------------ */

struct pm__run {
  pm__process_t *process;
  pm__run_t *prev, *next; /* all of the manager's */
  pm__child_t child;
  bool watched; /* the child's watch is open */
  pm__output_t output[PM_STREAM_COUNT];
  pm__input_t input;
  unsigned open;      /* handles that are not closed yet */
  bool over;          /* its exit has been queued: later output is logged only */
  bool loss_told;     /* that its keeper was lost */
  bool ended_by_loss; /* that was known when its exit was queued: it may be the cause */
  uint64_t number;    /* of its process's starts, 0 the first */

  pm__meter_t meter; /* metering.c's, as are the next four */
  pm__run_t *metered_prev, *metered_next;
  int place; /* in the snapshot of the round */
  pm__seen_t seen;
  pm__memory_watch_t memory;
  uint64_t started_at; /* uv_hrtime */
  uint64_t start_time; /* the same, as pm__wall_clock */
  uint64_t ended_at;   /* uv_hrtime; 0: it runs */
};

/* ---- a process -------------------------------------------------------------- */

typedef enum {
  PM__NEW,
  PM__STARTING,
  PM__RUNNING,
  PM__STOPPING, /* somebody asked for its end */
  PM__SWEEPING, /* it ended by itself; what it left behind is being ended */
  PM__BACKOFF,
  PM__QUEUED, /* the wait is over, but too many have just been started */
  PM__EXITED,
  PM__FAILED,
  PM__STATE_COUNT
} pm__state_t;

/* Somebody waiting for a stop or a restart. */
typedef struct pm__waiter {
  struct pm__waiter *next;
  pm_done_cb cb;
  void *arg;
} pm__waiter_t;

/* An error that an event and a status share. */
typedef struct pm__fault {
  unsigned refs;
  pm_error_t error;
} pm__fault_t;

/* A walk down the ladder of signals: see stop.c. */
typedef struct pm__ladder {
  unsigned step;
  double timeout;    /* ms between stop signal and SIGKILL */
  uint64_t began;    /* uv_now */
  double deadline;   /* uv_now of the next step; INFINITY: none */
  unsigned interval; /* ms between looks for what is left, of what has to be asked */
  int killed;        /* how many were alive when SIGKILL came first */
  bool reported;     /* it has been said that it cannot be killed */
} pm__ladder_t;

struct pm__process {
  pm_manager_t *manager;
  unsigned refs;
  pm__process_t *prev, *next;             /* in the order of spawning */
  pm__process_t *ended_prev, *ended_next; /* in the order of ending */
  pm__process_t *queue_prev, *queue_next; /* in the order of starting */
  unsigned queue_place;                   /* from 1, as they were numbered last; 0: it is not in the queue */
  pm__process_t *hash_next;
  pm_str_t id; /* owned */
  uint32_t hash;
  bool known;    /* in the manager's table */
  uint64_t life; /* counts the manager's processes */

  pm__command_t command;
  pm_options_t options;
  char *private_dir; /* of this life, NULL if none */

  pm__state_t state;
  uv_timer_t timer; /* the one deadline of the present state */
  pm__run_t *run;   /* the present start; after its end until its pipes close */
  pm__ladder_t ladder;
  double wanted_timeout;     /* of the stop request being handled */
  bool restart_pending;      /* start again once stopped */
  bool stopped_by_limit;     /* and nobody has asked for anything else meanwhile */
  bool starts_again;         /* the start under way is not the first */
  unsigned attempts;         /* restarts since it was last stable */
  uint64_t restarts;         /* ever */
  pm_metrics_t last_metrics; /* what the last start used in all */
  pm__exit_t last_exit;      /* code -1 and signum 0: none, or unknown */
  pm__fault_t *fault;        /* the last failure; NULL if none */
  pm__waiter_t *stop_waiters;
  pm__waiter_t *restart_waiters;

  pm__log_ring_t logs[PM_STREAM_COUNT];
  pm__history_t history;
  pm__tally_t tally;
  uint64_t last_seq;        /* of its log lines */
  bool log_watched;         /* PM_EVENT_LOGGED is wanted */
  pm__log_file_t *log_file; /* NULL if none */
};

/* ---- events on their way out -------------------------------------------------- */

typedef struct pm__queued {
  pm_event_t event;       /* its id, error and stop are filled in on delivery */
  pm__process_t *process; /* referenced; NULL for the manager's own */
  pm__fault_t *fault;     /* referenced; NULL if none */
  pm_stop_report_t stop;
  bool has_stop;
  pm_usage_t usage;
  bool has_usage;
  pm__waiter_t *answered; /* owned; instead of an event: answers, all the same */
  bool answer;
} pm__queued_t;

typedef struct pm__events {
  pm__queued_t *ring;
  size_t capacity, first, count;
  bool delivering;
} pm__events_t;

/* ---- the manager ---------------------------------------------------------------- */

struct pm_manager {
  uv_loop_t *loop;
  pm_options_t options;
  pm_callbacks_t callbacks;
  void *data;
  pm_str_t *allowed_commands; /* owned; NULL: any */
  size_t allowed_command_count;

  pm__poller_t poller;
  pm__spawner_t spawner;
  pm__env_block_t *recent_env;
  char *read_buffer; /* one for all streams; NULL until the first start */

  pm__process_t **buckets;
  size_t bucket_count; /* a power of two, or 0 */
  size_t known;
  pm__process_t *first, *last;
  pm__process_t *ended_first, *ended_last;
  size_t live, ended;
  uint64_t next_id;
  uint64_t lives;          /* processes that there have been */
  uint64_t limits_reached; /* of its own */
  bool reporting;          /* a report is under way */

  pm__run_t *runs;
  pm__events_t events;
  pm__output_t *resting, *resting_last; /* streams that are read once a tick */
  uv_timer_t tick;
  pm__input_t *flushes; /* that have something to write when the present work is done */
  pm__log_file_t *log_files;
  pm__log_file_t *log_due, *log_due_last; /* that have something to write and wait for their turn */
  unsigned log_writes;                    /* under way in the thread pool */
  unsigned log_held;                      /* files that wait for those of ended processes */
  uint64_t log_turns;                     /* starts of processes with log files */
  uv_timer_t retry;                       /* of those that could not be written */
  uv_idle_t turn;                         /* delivers what API calls queued */
  pm__metering_t metering;
  bool sampling;                     /* a round of samples is under way */
  bool announced;                    /* and is to be kept and told of: the timer has begun it */
  bool remembering;                  /* it is being kept now */
  bool heard;                        /* somebody listened when it began; or it was the thread's */
  bool unfinished;                   /* a status has begun a look that goes on */
  uint64_t round_began, round_ended; /* uv_hrtime, of the last */
  pm__process_t *cursor;             /* whose sample is kept next; NULL: nobody's */
  size_t histories;                  /* processes whose samples are kept */
  uint64_t next_round;               /* when it is due; the loop's time */
  pm__memory_t memory;
  pm__spawn_queue_t spawn_queue;
  uv_timer_t monitor;     /* samples metrics; in pm_manager_close: looks for what is gone, and gives up */
  uint64_t patient_until; /* of closing; the loop's time */
  unsigned pending;       /* processes, runs and works not yet freed */
  unsigned own;           /* its own handles that are not closed yet: turn, timers, poller */
  unsigned works;         /* removals of directories and writes of log files in the thread pool */
  unsigned listening;
  uint64_t random;
  bool refd, refuses, closing, active;
  pm__fault_t *keeperless; /* a warning that is due once somebody wants a keeper; NULL if none */
  pm_closed_cb on_closed;
  void *on_closed_arg;
};

/* Something that pm_manager_close has to wait for begins, ends. The last to end
 * while closing frees the manager. */
void pm__manager_hold(pm_manager_t *m);
void pm__manager_release(pm_manager_t *m);

/* Tells the embedder when the manager became active or idle. */
void pm__manager_update_active(pm_manager_t *m);

/* Microseconds since the epoch. */
uint64_t pm__wall_clock(void);

/* Uniform in [0, 1). */
double pm__manager_random(pm_manager_t *m);

#endif /* PM_CORE_INTERNAL_H */
