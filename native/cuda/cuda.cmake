# The CUDA backend: a plugin that the addon loads where there is a driver, built where nvcc, cuBLAS and cuDNN are; and
# its emulation on the CPU, which the tests run everywhere.
file(GLOB CUDA_SOURCES CONFIGURE_DEPENDS native/cuda/*.cu)
file(GLOB CUDA_HOST_SOURCES CONFIGURE_DEPENDS native/cuda/*.cpp)

set_source_files_properties(${CUDA_SOURCES} PROPERTIES LANGUAGE CXX)
file(GLOB EMULATION_SOURCES CONFIGURE_DEPENDS native/cuda/emulation/*.cpp)
add_library(nlrcnn_emulated SHARED ${CUDA_SOURCES} ${CUDA_HOST_SOURCES} ${EMULATION_SOURCES} native/cpu/onednn.cpp
            $<TARGET_OBJECTS:core>)
target_include_directories(nlrcnn_emulated PRIVATE native ${DNNL_INCLUDE})
target_compile_definitions(nlrcnn_emulated PRIVATE NLRCNN_CUDA_ARCHITECTURES="90")
# As nvcc does with -fmad=false: where a comparison decides, a fused multiply-add would decide otherwise.
target_compile_options(nlrcnn_emulated PRIVATE -O2 -ffp-contract=off -x c++ ${WARNINGS})
target_link_libraries(nlrcnn_emulated PRIVATE ${DNNL_LIBRARY} OpenMP::OpenMP_CXX)
target_link_options(nlrcnn_emulated PRIVATE -Wl,-z,nodelete)

set(NLRCNN_CUDA_MAJOR 13)
set(NLRCNN_CUDA_LIBRARY_NAMES "")
