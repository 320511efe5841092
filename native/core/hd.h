#pragma once

// Marks arithmetic that the CPU and the CUDA kernels share.
#ifdef __CUDACC__
#define NLRCNN_HD __host__ __device__
#else
#define NLRCNN_HD
#endif
