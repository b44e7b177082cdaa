/* A promise of more metrics: the addon's thread pool reads what would hold up the loop. */
#ifndef PM_BINDING_MEASURING_H
#define PM_BINDING_MEASURING_H

#include <napi.h>

#include <new>

#include "../pm.h"
#include "awaited.h"
#include "values.h"

namespace binding {

/* Of an Owner: an ObjectWrap with Prepare(const Subject &, bool pss, pm_measure_t **), and awaited(). */
template <typename Owner, typename Subject> class Measuring : public Awaited {
public:
  static Napi::Value Begin(Owner *owner, const Subject &subject, bool pss) {
    Promise promise(owner->Env());
    if (promise) Continue(owner, subject, pss, promise);
    return promise.Value();
  }

  ~Measuring() override {
    pm_measure_free(measure_);
  }

  /* Nothing, if it has only to come back in another turn of the loop. */
  void Execute() override {
    if (measure_ != nullptr) pm_measure_read(measure_);
  }

protected:
  void Done() override {
    if (measure_ == nullptr) {
      Continue(owner_, subject_, pss_, promise_);
    } else {
      Resolve();
    }
  }

private:
  Measuring(Owner *owner, const Subject &subject, bool pss, Promise promise, pm_measure_t *measure)
      : Awaited(owner->Env(), owner->awaited()), owner_(owner), object_(Napi::Persistent(owner->Value())),
        subject_(subject), pss_(pss), promise_(promise), measure_(measure) {
  }

  /* undefined if there is no such process. */
  static void Continue(Owner *owner, const Subject &subject, bool pss, Promise promise) {
    pm_measure_t *measure = nullptr;
    int r = owner->Prepare(subject, pss, &measure);
    if (r != 0 && r != UV_EAGAIN) {
      promise.Resolve(owner->Env().Undefined());
      return;
    }
    Measuring *worker = new (std::nothrow) Measuring(owner, subject, pss, promise, measure);
    if (worker != nullptr) {
      worker->Queue();
      return;
    }
    pm_measure_free(measure);
    promise.Resolve(owner->Env().Undefined());
  }

  /* [figures …, descriptors, voluntary and involuntary context switches, bytes read and
   * written, pss]; null for what is not known. */
  void Resolve() {
    const pm_measurement_t *found = pm_measure_result(measure_);
    Writer out(Env());
    Collected values = {out, out.Array(), 0};
    for (double value : Figures(found->metrics).values)
      values.Add(out.Number(value));
    for (int64_t value :
         {found->descriptors, found->voluntary, found->involuntary, found->read, found->written, found->pss})
      values.Add(value < 0 ? out.Null() : out.Number(static_cast<double>(value)));
    if (out.ok()) promise_.Resolve(values.array);
  }

  Owner *owner_;
  Napi::ObjectReference object_;
  Subject subject_;
  bool pss_;
  Promise promise_;
  pm_measure_t *measure_;
};

} // namespace binding

#endif // PM_BINDING_MEASURING_H
