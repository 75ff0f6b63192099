/* LLVM makes static objects whenever it first needs them, and would take them down as the process ends, whoever compiles
 * then. Where it is linked into this module it registers their destructors here, and they never run: what they hold is
 * memory. A shared LLVM does not see this function; the end of the process waits for who compiles in any case. */
int __cxa_atexit(void (*destroy)(void *), void *object, void *module);

int __cxa_atexit(void (*destroy)(void *), void *object, void *module) {
  (void)destroy, (void)object, (void)module;
  return 0;
}
