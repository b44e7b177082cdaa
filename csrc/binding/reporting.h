/* A promise of a report: the addon's thread pool finds out and writes what would hold up
 * the loop. */
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
  /* as_text: a promise of text, else of [id, command, state, …] and a buffer with the figures. */
  static Napi::Value Begin(Manager *owner, pm_report_t *report, bool as_text) {
    Promise promise(owner->Env());
    Reporting *worker = promise ? new (std::nothrow) Reporting(owner, report, as_text, promise) : nullptr;
    if (worker != nullptr) {
      worker->Queue();
    } else {
      owner->EndReport(report);
      if (promise) promise.Reject(Napi::Error::New(owner->Env(), "out of memory").Value());
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
  }

  void Failed(const Napi::Error &error) override {
    End();
    promise_.Reject(error.Value());
  }

private:
  Reporting(Manager *owner, pm_report_t *report, bool as_text, Promise promise)
      : Awaited(owner->Env(), owner->awaited()), owner_(owner), object_(Napi::Persistent(owner->Value())),
        report_(report), as_text_(as_text), promise_(promise) {
  }

  void End() {
    owner_->EndReport(report_);
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
