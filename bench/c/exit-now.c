/* The child of the spawn tables: ends at once, so that what is measured is the
 * host's work and the kernel's. */
int main(void) {
  return 0;
}
