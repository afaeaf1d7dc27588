/* A libnvidia-ml.so.1 without a driver: what it answers stands in the file that FAKE_NVML names.
 *
 * The file is read anew with each call, so that a test can change a GPU while something looks at
 * it. Its lines:
 *
 *   init CODE
 *   gpu  CODE UTILIZATION USED TOTAL UUID NAME
 *   mig  CODE UTILIZATION USED TOTAL UUID NAME
 *
 * CODE is what calls return, 0 for success; for a GPU all calls that ask about it; with HANG they
 * never return. UTILIZATION is in percent, -1 where it is not supported; memory is in bytes. Spaces in NAME are part of it. MIG
 * slices are found by their UUID alone. Lines are numbered from 1: a handle is such a number.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOT_SUPPORTED 3
#define NO_PERMISSION 4
#define NOT_FOUND 6
#define INVALID_ARGUMENT 2
#define HANG -1

typedef struct {
  int code;
  int is_gpu;
  int utilization;
  unsigned long long used, total;
  char uuid[96], name[96];
} line_t;

typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned int gpu, memory; } utilization_t;

/* The line with that number, or the one that is the index-th GPU, or the one with that UUID. */
static int find(long number, int index, const char *uuid, line_t *line) {
  const char *path = getenv("FAKE_NVML");
  FILE *file = path ? fopen(path, "r") : NULL;
  char text[512], kind[8];
  long at = 0;
  int gpus = 0, found = 0;
  if (!file) return 0;
  while (!found && fgets(text, sizeof text, file)) {
    at++;
    text[strcspn(text, "\n")] = 0;
    memset(line, 0, sizeof *line);
    if (sscanf(text, "%7s %d %d %llu %llu %95s %95[^\n]", kind, &line->code, &line->utilization,
               &line->used, &line->total, line->uuid, line->name) < 7)
      continue;
    line->is_gpu = strcmp(kind, "gpu") == 0;
    found = at == number || (line->is_gpu && index == gpus) || (uuid && !strcmp(uuid, line->uuid));
    gpus += line->is_gpu;
  }
  fclose(file);
  while (found && line->code == HANG) pause();
  return found ? (int)at : 0;
}

int nvmlInitWithFlags(unsigned int flags) {
  const char *path = getenv("FAKE_NVML");
  FILE *file = path ? fopen(path, "r") : NULL;
  int code = 999;
  (void)flags;
  if (!file) return code;
  if (fscanf(file, "init %d", &code) != 1) code = 999;
  fclose(file);
  return code;
}

int nvmlShutdown(void) { return 0; }

const char *nvmlErrorString(int code) { (void)code; return "an error of the stand-in"; }

int nvmlSystemGetDriverVersion(char *into, unsigned int size) {
    snprintf(into, size, "570.00.1");
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned int *count) {
  line_t line;
  for (*count = 0; find(0, (int)*count, NULL, &line); ++*count) {}
  return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **handle) {
  line_t line;
  long number = find(0, (int)index, NULL, &line);
  *handle = (void *)number;
  return number ? line.code : INVALID_ARGUMENT;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, void **handle) {
  line_t line;
  long number = find(0, -1, uuid, &line);
  *handle = (void *)number;
  return number ? line.code : NOT_FOUND;
}

static int text_of(void *handle, char *into, unsigned int size, int uuid) {
  line_t line;
  if (!find((long)handle, -1, NULL, &line)) return INVALID_ARGUMENT;
  if (!line.code) snprintf(into, size, "%s", uuid ? line.uuid : line.name);
  return line.code;
}

int nvmlDeviceGetUUID(void *handle, char *into, unsigned int size) {
  return text_of(handle, into, size, 1);
}

int nvmlDeviceGetName(void *handle, char *into, unsigned int size) {
  return text_of(handle, into, size, 0);
}

int nvmlDeviceGetMemoryInfo(void *handle, memory_t *into) {
  line_t line;
  if (!find((long)handle, -1, NULL, &line)) return INVALID_ARGUMENT;
  into->total = line.total;
  into->used = line.used;
  into->free = line.total - line.used;
  return line.code;
}

int nvmlDeviceGetUtilizationRates(void *handle, utilization_t *into) {
  line_t line;
  if (!find((long)handle, -1, NULL, &line)) return INVALID_ARGUMENT;
  if (!line.code && line.utilization < 0) return NOT_SUPPORTED;
  into->gpu = (unsigned int)line.utilization;
  into->memory = 0;
  return line.code;
}

/* What dask-cuda asks besides. */

int nvmlDeviceGetCpuAffinity(void *handle, unsigned int size, unsigned long *into) {
  (void)handle;
  memset(into, 0, size * sizeof *into);
  into[0] = 1;
  return 0;
}

int nvmlDeviceGetMigMode(void *handle, unsigned int *now, unsigned int *pending) {
  (void)handle, (void)now, (void)pending;
  return NOT_SUPPORTED;
}

int nvmlDeviceGetIndex(void *handle, unsigned int *index) {
  line_t line, other;
  if (!find((long)handle, -1, NULL, &line)) return INVALID_ARGUMENT;
  for (*index = 0; find(0, (int)*index, NULL, &other); ++*index)
    if (!strcmp(line.uuid, other.uuid)) return line.code;
  return NOT_FOUND;
}

int nvmlDeviceGetComputeRunningProcesses_v2(void *handle, unsigned int *count, void *into) {
  (void)handle, (void)into;
  *count = 0;
  return 0;
}
