/*
 * Works of the thread pool that an object has begun, and their promises. An environment
 * that ends (that of a worker, say, which is terminated) still lets them complete, when
 * the object may have gone. So from the end of its environment on what comes of a work is
 * dropped.
 */
#ifndef PM_BINDING_AWAITED_H
#define PM_BINDING_AWAITED_H

#include <napi.h>

namespace binding {

/* A promise that may not have come about: while a worker is being terminated JavaScript
 * goes on for a while, but no promise can be made (of which Napi::Promise::Deferred gives
 * an uninitialized one). */
class Promise {
public:
  explicit Promise(napi_env env) : env_(env) {
    if (napi_create_promise(env, &deferred_, &value_) != napi_ok) deferred_ = nullptr;
  }

  explicit operator bool() const {
    return deferred_ != nullptr;
  }

  /* To be handed to JavaScript in the scope in which it was made. */
  Napi::Value Value() const {
    return deferred_ != nullptr ? Napi::Value(env_, value_) : Napi::Value();
  }

  /* Once, either. */
  void Resolve(napi_value value) const {
    napi_resolve_deferred(env_, deferred_, value);
  }
  void Reject(napi_value error) const {
    napi_reject_deferred(env_, deferred_, error);
  }

private:
  napi_env env_;
  napi_deferred deferred_ = nullptr;
  napi_value value_ = nullptr;
};

class Awaited;

/* Those of one object, a member of it. */
class AwaitedList {
public:
  ~AwaitedList() {
    End();
  }

  /* The environment ends. */
  void End();

private:
  friend class Awaited;
  Awaited *first_ = nullptr;
};

class Awaited : public Napi::AsyncWorker {
public:
  ~Awaited() override {
    Leave();
  }

  void OnOK() final {
    if (list_ != nullptr) Done();
  }

  void OnError(const Napi::Error &error) final {
    if (list_ != nullptr) Failed(error);
  }

protected:
  Awaited(Napi::Env env, AwaitedList *list) : Napi::AsyncWorker(env), list_(list), next_(list->first_) {
    if (next_ != nullptr) next_->previous_ = this;
    list->first_ = this;
  }

  /* In the environment's thread, unless that ends. */
  virtual void Done() = 0;
  virtual void Failed(const Napi::Error &) {
  }

private:
  friend class AwaitedList;

  void Leave() {
    if (list_ == nullptr) return;
    if (next_ != nullptr) next_->previous_ = previous_;
    (previous_ != nullptr ? previous_->next_ : list_->first_) = next_;
    list_ = nullptr;
  }

  AwaitedList *list_; /* nullptr: nobody awaits it any more */
  Awaited *previous_ = nullptr;
  Awaited *next_;
};

inline void AwaitedList::End() {
  while (first_ != nullptr)
    first_->Leave();
}

} // namespace binding

#endif // PM_BINDING_AWAITED_H
