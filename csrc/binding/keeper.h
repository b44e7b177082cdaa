/* The keeper that lies beside the addon. */
#ifndef PM_BINDING_KEEPER_H
#define PM_BINDING_KEEPER_H

#include "../pm.h"

namespace binding {

/* Opens it when it is made. One of each environment, in its instance data; a
 * manager has a reference of its own, for it may close later. */
class Keeper {
public:
  Keeper();
  ~Keeper();
  Keeper(const Keeper &) = delete;
  Keeper &operator=(const Keeper &) = delete;

  /* NULL if it cannot be had. */
  pm_keeper_t *get() const {
    return keeper_;
  }

  /* Why it cannot be had, else NULL. */
  const pm_error_t *error() const {
    return keeper_ == nullptr ? &error_ : nullptr;
  }

private:
  pm_keeper_t *keeper_ = nullptr;
  pm_error_t error_ = {};
};

} // namespace binding

#endif // PM_BINDING_KEEPER_H
