# The CUDA backend: a plugin that the addon loads where there is a driver, built where nvcc, cuBLAS and cuDNN are
# (NLRCNN_CUDA=OFF leaves it out); and its emulation on the CPU, which the tests run everywhere.
option(NLRCNN_CUDA "Build the CUDA plugin where there is a CUDA compiler" ON)
option(NLRCNN_EMULATION "Build the emulation that the tests use" OFF)
file(GLOB CUDA_SOURCES CONFIGURE_DEPENDS native/cuda/*.cu)
file(GLOB CUDA_HOST_SOURCES CONFIGURE_DEPENDS native/cuda/*.cpp)
file(GLOB GPU_SOURCES CONFIGURE_DEPENDS native/cuda/gpu/*.cu native/cuda/gpu/*.cpp)
list(FILTER GPU_SOURCES EXCLUDE REGEX /fault\\.cu$)

if(NLRCNN_EMULATION)
  set_source_files_properties(${CUDA_SOURCES} PROPERTIES LANGUAGE CXX)
  file(GLOB EMULATION_SOURCES CONFIGURE_DEPENDS native/cuda/emulation/*.cpp)
  add_library(nlrcnn_emulated SHARED ${CUDA_SOURCES} ${CUDA_HOST_SOURCES} ${EMULATION_SOURCES}
              native/cpu/onednn.cpp $<TARGET_OBJECTS:core>)
  target_include_directories(nlrcnn_emulated PRIVATE native ${DNNL_INCLUDE})
  target_compile_definitions(nlrcnn_emulated PRIVATE NLRCNN_CUDA_ARCHITECTURES="90")
  # As nvcc does with -fmad=false: where a comparison decides, a fused multiply-add would decide otherwise.
  target_compile_options(nlrcnn_emulated PRIVATE ${OPTIMIZE_EMULATION} -ffp-contract=off -x c++ ${WARNINGS})
  target_link_libraries(nlrcnn_emulated PRIVATE ${DNNL_LIBRARY} OpenMP::OpenMP_CXX)
  target_link_options(nlrcnn_emulated PRIVATE -Wl,-z,nodelete)
  # Kernels with faults, each of which the emulation must find.
  add_executable(emulation_selftest native/cuda/emulation/selftest/main.cpp
                 native/cuda/emulation/emulator.cpp $<TARGET_OBJECTS:core>)
  target_include_directories(emulation_selftest PRIVATE native)
  target_compile_options(emulation_selftest PRIVATE ${OPTIMIZE_EMULATION} ${WARNINGS})
  target_link_libraries(emulation_selftest PRIVATE OpenMP::OpenMP_CXX)
  set_target_properties(emulation_selftest PROPERTIES RUNTIME_OUTPUT_DIRECTORY $<TARGET_FILE_DIR:nlrcnn>)
endif()

if(NLRCNN_CUDA)
  include(CheckLanguage)
  check_language(CUDA)
  # Toolkits have plain names; Python's wheels (nvidia-cublas, nvidia-cudnn) only versioned ones.
  file(GLOB CUDA_WHEELS /usr/local/lib/python3*/*-packages/nvidia /usr/lib/python3*/*-packages/nvidia
       /opt/*/.venv/lib/python3*/site-packages/nvidia $ENV{VIRTUAL_ENV}/lib/python3*/site-packages/nvidia)
  set(CUDA_FOLDERS $ENV{NLRCNN_CUDA_ROOT} ${CUDA_WHEELS})
  set(CUDA_SUFFIXES cu13 cu12 cudnn cublas)
  foreach(FOLDER ${CUDA_FOLDERS})
    foreach(SUFFIX ${CUDA_SUFFIXES} nvidia/cu13 nvidia/cudnn)
      list(APPEND CUDA_PREFIXES ${FOLDER}/${SUFFIX})
    endforeach()
  endforeach()
  list(APPEND CUDA_PREFIXES /usr/local/cuda)
  find_path(CUBLASLT_INCLUDE cublasLt.h HINTS ${CUDA_PREFIXES} PATH_SUFFIXES include)
  find_path(CUDNN_INCLUDE cudnn.h HINTS ${CUDA_PREFIXES} PATH_SUFFIXES include)
  find_library(CUBLASLT_LIBRARY NAMES cublasLt libcublasLt.so.13 libcublasLt.so.12 HINTS ${CUDA_PREFIXES}
               PATH_SUFFIXES lib lib64)
  find_library(CUDNN_LIBRARY NAMES cudnn libcudnn.so.9 HINTS ${CUDA_PREFIXES} PATH_SUFFIXES lib lib64)
  if(CMAKE_CUDA_COMPILER AND CUBLASLT_INCLUDE AND CUDNN_INCLUDE AND CUBLASLT_LIBRARY AND CUDNN_LIBRARY)
    add_subdirectory(native/cuda/gpu)
  else()
    message(STATUS "No CUDA plugin: it needs nvcc, cuBLASLt and cuDNN (compiler: ${CMAKE_CUDA_COMPILER}, "
                   "cuBLASLt: ${CUBLASLT_LIBRARY}, cuDNN: ${CUDNN_LIBRARY})")
  endif()
endif()
