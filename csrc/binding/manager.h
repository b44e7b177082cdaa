/*
 * The object behind a JavaScript ProcessManager: one pm_manager_t on the loop of
 * its environment.
 */
#ifndef PM_BINDING_MANAGER_H
#define PM_BINDING_MANAGER_H

#include <napi.h>
#include <uv.h>

#include <string>

#include "../pm.h"
#include "awaited.h"
#include "report_queue.h"
#include "values.h"

namespace binding {

/* What the JavaScript callback is told, beside the kinds of pm_event_kind_t. */
enum { KIND_OUTPUT = PM_EVENT_WARNING + 1, KIND_LINES, KIND_MESSAGES, KIND_STRAYS, KIND_ACTIVE, KIND_COUNT };

/* Length of a row that describes a process; room for the numbers that a call leaves behind. */
enum { ROW_LENGTH = 12, NUMBERS_LENGTH = 24 };

/* Combinations of words that are kept. */
enum { MOST_WORDS = 64 };

/* Words that statuses have in common, as they stand in pm_status_t. */
struct StatusWords {
  const char *status, *state, *containment, *exit_signal;
};

const napi_type_tag manager_tag = {0x6d70c1a5d2f94b07, 0x9e31f04a7c6b58d2};

class Manager;

/* What the environment and the engine know of a manager: it lasts until the
 * engine has closed, the object need not. */
struct Closing {
  Manager *owner; /* NULL once it has been collected */
  napi_async_cleanup_hook_handle hook;
  Napi::FunctionReference resolve; /* of close(); empty if nobody waits */
};

/* A stop or a restart that somebody waits for. */
struct Pending {
  Manager *owner;
  Napi::FunctionReference resolve; /* of the promise */
};

class Manager : public Napi::ObjectWrap<Manager> {
public:
  static Napi::Function Define(Napi::Env env);

  /* NULL if object is none of ours, whatever it wraps. */
  static Manager *Unwrap(Napi::Object object) {
    bool ours = false;
    napi_status status = napi_check_object_type_tag(object.Env(), object, &manager_tag, &ours);
    return status == napi_ok && ours ? Napi::ObjectWrap<Manager>::Unwrap(object) : nullptr;
  }

  explicit Manager(const Napi::CallbackInfo &info);
  ~Manager() override;

  Napi::Value Spawn(const Napi::CallbackInfo &info);
  Napi::Value Stop(const Napi::CallbackInfo &info);
  Napi::Value Restart(const Napi::CallbackInfo &info);
  Napi::Value Signal(const Napi::CallbackInfo &info);
  Napi::Value Status(const Napi::CallbackInfo &info);
  Napi::Value Measure(const Napi::CallbackInfo &info);
  int Prepare(const std::string &id, bool pss, pm_measure_t **out);
  Napi::Value History(const Napi::CallbackInfo &info);
  Napi::Value SnapshotAll(const Napi::CallbackInfo &info);
  Napi::Value SnapshotOf(const Napi::CallbackInfo &info);
  Napi::Value Report(const Napi::CallbackInfo &info);
  int BeginReport(pm_report_t **out);
  void EndReport(pm_report_t *report);
  napi_value Rejection(int err);
  ReportQueue *reports() {
    return &reports_;
  }
  AwaitedList *awaited() {
    return &awaited_;
  }
  Napi::Value List(const Napi::CallbackInfo &info);
  Napi::Value Logs(const Napi::CallbackInfo &info);
  Napi::Value QueryLog(const Napi::CallbackInfo &info);
  Napi::Value WatchLog(const Napi::CallbackInfo &info);
  Napi::Value Pause(const Napi::CallbackInfo &info);
  Napi::Value Send(const Napi::CallbackInfo &info);
  Napi::Value Write(const Napi::CallbackInfo &info);
  Napi::Value CloseStdin(const Napi::CallbackInfo &info);
  Napi::Value Remove(const Napi::CallbackInfo &info);
  void Close(const Napi::CallbackInfo &info);
  Napi::Value HasRef(const Napi::CallbackInfo &info);
  Napi::Value Backend(const Napi::CallbackInfo &info);
  void Listen(const Napi::CallbackInfo &info);
  void RefuseNew(const Napi::CallbackInfo &info);
  void KillAll(const Napi::CallbackInfo &info);
  void KeepLoop(const Napi::CallbackInfo &info);
  void LeaveLoop(const Napi::CallbackInfo &info);

private:
  static Manager *From(pm_manager_t *m) {
    return static_cast<Manager *>(pm_manager_data(m));
  }
  static void OnEvent(pm_manager_t *m, const pm_event_t *event);
  static void OnOutput(pm_manager_t *m, pm_str_t id, pm_stream_t stream, pm_str_t bytes, pm_encoding_t encoding);
  static void OnLines(pm_manager_t *m, pm_str_t id, pm_stream_t stream, const pm_str_t *lines, size_t count,
                      pm_encoding_t encoding);
  static void OnMessages(pm_manager_t *m, pm_str_t id, const pm_str_t *messages, size_t count, pm_messages_t mode,
                         pm_encoding_t encoding);
  static void OnStrays(pm_manager_t *m, pm_str_t id, const pm_str_t *lines, size_t count, pm_encoding_t encoding);
  static void OnActive(pm_manager_t *m, bool active);
  static void OnDone(void *arg, bool result);
  static void OnClosed(void *arg);
  static void OnEnvEnd(napi_async_cleanup_hook_handle hook, void *arg);

  const pm_error_t *Open(const Napi::CallbackInfo &info);
  const pm_error_t *ReadOptions(Reader &in, napi_value values, const char *where, pm_options_t *out);
  const pm_error_t *ReadQuery(Reader &in, const Napi::CallbackInfo &info, pm_log_query_t *out);
  const pm_error_t *ReadConfig(Reader &in, const Napi::CallbackInfo &info, pm_config_t *out);

  using PutFunction = int (*)(pm_manager_t *m, pm_str_t id, pm_str_t data, bool *ready, pm_error_t *error);
  Napi::Value Put(const Napi::CallbackInfo &info, PutFunction put);

  uint32_t WordsOf(Writer &out, const pm_status_t *status);
  static napi_value Row(Writer &out, const pm_status_t *status);
  bool HasRoomForLives(size_t count);
  napi_value Names(Writer &out, const pm_snapshot_t *snapshot);
  static napi_value Survivors(Writer &out, const pm_stop_report_t *stop);
  napi_value MakeError(Writer &out, const pm_error_t *error);
  const pm_error_t *Failure(int err);
  Napi::Value Throw(const pm_error_t *error);
  Napi::Value Result(napi_value value);
  Pending *NewPending(const Napi::Value &resolve);
  Napi::Value Await(Pending *pending, int r, const pm_error_t *error);
  void Resolve(const Napi::FunctionReference &resolve, bool result);
  void Call(const Napi::FunctionReference &function, Writer &out, size_t argc, const napi_value *argv);
  void ReportException();

  void SetAlive(bool alive);
  void Hold();
  void Release();
  void BeginClose();

  pm_manager_t *m_ = nullptr; /* NULL once it is being closed */
  pm_options_t options_;
  pm_error_t error_; /* of the call under way */
  Closing *closing_ = nullptr;
  Napi::FunctionReference callback_; /* weak: the object itself keeps it */
  Napi::FunctionReference make_error_;
  double *numbers_ = nullptr;   /* what a call leaves behind; the object's array "numbers" */
  Napi::ObjectReference words_; /* weak: arrays of those in known_words_; the object's array "words" */
  StatusWords known_words_[MOST_WORDS];
  uint32_t word_count_ = 0;
  uint32_t *ends_ = nullptr;    /* of the lines of a batch; the object's array "ends" */
  Napi::ObjectReference names_; /* ids of snapshots, kept for the next: making strings costs more than all the rest */
  uint64_t *lives_ = nullptr;   /* whose they are */
  size_t lives_room_ = 0;
  napi_async_context context_ = nullptr;
  const char *backend_ = "";
  unsigned holds_ = 0;
  bool alive_ = false;
  bool ref_ = true;
  bool exiting_ = false;
  AwaitedList awaited_;
  ReportQueue reports_;
};

} // namespace binding

#endif // PM_BINDING_MANAGER_H
