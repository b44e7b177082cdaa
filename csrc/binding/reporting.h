/* Promises of reports: the addon's thread pool finds out and writes what would hold up the
 * loop. One after the other: each counts on from where the one before it ended. */
#ifndef PM_BINDING_REPORTING_H
#define PM_BINDING_REPORTING_H

#include <napi.h>

#include <new>

#include "../pm.h"
#include "awaited.h"
#include "manager.h"
#include "values.h"

namespace binding {

class Reporting : public Awaited {
public:
  /* as_text: a promise of text, else of [id, command, state, …] and a buffer with the figures;
   * of undefined, if the manager is closed by its turn. */
  static Napi::Value Ask(Manager *owner, bool as_text) {
    Promise promise(owner->Env());
    if (promise && owner->reports()->Add(promise, as_text)) {
      BeginNext(owner);
    } else if (promise) {
      promise.Reject(owner->Rejection(UV_ENOMEM));
    }
    return promise.Value();
  }

  ~Reporting() override {
    if (report_ != nullptr) pm_report_end(nullptr, report_);
  }

  void Execute() override {
    pm_report_read(report_);
    if (as_text_ && pm_report_text(report_, &text_) != 0) SetError("out of memory");
  }

protected:
  void Done() override {
    Writer out(Env());
    napi_value value = as_text_ ? out.Text(text_) : Rows(out);
    End();
    if (out.ok())
      promise_.Resolve(value);
    else
      promise_.Reject(Failure());
    BeginNext(owner_);
  }

  void Failed(const Napi::Error &error) override {
    End();
    promise_.Reject(error.Value());
    BeginNext(owner_);
  }

private:
  Reporting(Manager *owner, pm_report_t *report, const AskedReport &asked)
      : Awaited(owner->Env(), owner->awaited()), owner_(owner), object_(Napi::Persistent(owner->Value())),
        report_(report), as_text_(asked.as_text), promise_(asked.promise) {
  }

  /* One that cannot be begun does not stop those behind it. */
  static void BeginNext(Manager *owner) {
    ReportQueue *queue = owner->reports();
    while (!queue->busy) {
      AskedReport *asked = queue->Take();
      if (asked == nullptr) return;
      queue->busy = Begin(owner, asked);
      delete asked;
    }
  }

  /* Whether it is under way; if not, it is settled. */
  static bool Begin(Manager *owner, const AskedReport *asked) {
    pm_report_t *report = nullptr;
    int r = owner->BeginReport(&report);
    Reporting *worker = r == 0 ? new (std::nothrow) Reporting(owner, report, *asked) : nullptr;
    if (worker != nullptr) {
      worker->Queue();
    } else if (r == UV_ECANCELED) {
      asked->promise.Resolve(owner->Env().Undefined());
    } else {
      if (r == 0) owner->EndReport(report);
      asked->promise.Reject(owner->Rejection(r == 0 ? UV_ENOMEM : r));
    }
    return worker != nullptr;
  }

  void End() {
    owner_->EndReport(report_);
    owner_->reports()->busy = false;
    report_ = nullptr;
  }

  /* Why there is no value: it is longer than a string may be, or there is no memory. */
  napi_value Failure() {
    if (Env().IsExceptionPending()) return Env().GetAndClearPendingException().Value();
    return Napi::Error::New(Env(), "The report cannot be made into a value: out of memory, or too long").Value();
  }

  napi_value Rows(Writer &out) {
    struct Both {
      Collected words;
      Gathered figures;
    } both = {{out, out.Array(), 0}, {}};
    auto each = [](void *arg, const pm_report_entry_t *entry) {
      Both *both = static_cast<Both *>(arg);
      both->words.Add(both->words.out.Text(entry->id));
      both->words.Add(both->words.out.Text(entry->command));
      both->words.Add(both->words.out.Word(entry->state));
      for (int64_t figure : entry->figures) {
        const double number = static_cast<double>(figure);
        both->figures.Add(&number, sizeof(number));
      }
    };
    pm_report_each(report_, each, &both);
    Collected values = {out, out.Array(), 0};
    if (both.figures.failed()) {
      napi_throw_error(Env(), "ENOMEM", "out of memory");
      out.Keep(napi_pending_exception, nullptr);
    }
    values.Add(both.words.array);
    values.Add(out.ArrayBuffer(both.figures.bytes()));
    return values.array;
  }

  Manager *owner_;
  Napi::ObjectReference object_;
  pm_report_t *report_;
  bool as_text_;
  pm_str_t text_ = {"", 0};
  Promise promise_;
};

} // namespace binding

#endif // PM_BINDING_REPORTING_H
