/* Who waits for a report of a manager. */
#ifndef PM_BINDING_REPORT_QUEUE_H
#define PM_BINDING_REPORT_QUEUE_H

#include <new>

#include "awaited.h"

namespace binding {

struct AskedReport {
  Promise promise;
  bool as_text;
  AskedReport *next;
};

/* A member of the manager's object. What is left in it when that goes is dropped: then the
 * environment has ended. */
class ReportQueue {
public:
  ~ReportQueue() {
    while (AskedReport *asked = Take())
      delete asked;
  }

  /* False: there is no memory. */
  bool Add(const Promise &promise, bool as_text) {
    AskedReport *asked = new (std::nothrow) AskedReport{promise, as_text, nullptr};
    if (asked == nullptr) return false;
    *end_ = asked;
    end_ = &asked->next;
    return true;
  }

  /* The first, which is the caller's from now on; nullptr: there is none. */
  AskedReport *Take() {
    AskedReport *asked = first_;
    if (asked == nullptr) return nullptr;
    first_ = asked->next;
    if (first_ == nullptr) end_ = &first_;
    return asked;
  }

  bool busy = false; /* a report is under way */

private:
  AskedReport *first_ = nullptr;
  AskedReport **end_ = &first_;
};

} // namespace binding

#endif // PM_BINDING_REPORT_QUEUE_H
