// Stands in for NVIDIA's driver: what it answers is set when it is compiled.
int cuInit(unsigned flags) { return flags == 0 ? STATUS : 1; }
int cuDriverGetVersion(int* version) { return *version = VERSION, 0; }
int cuDeviceGetCount(int* count) { return *count = COUNT, 0; }
int cuDeviceGetAttribute(int* value, int attribute, int device) {
  (void)device;
  *value = attribute == 75 ? CAPABILITY / 10 : CAPABILITY % 10;
  return 0;
}
