# Written by `cargo xtask setup` of dlbacktrace: what find_package(Torch) tells of the libtorch beside it, PyTorch's libraries
# for the CPU. The targets and variables are those of PyTorch's own file.
#
#   target_link_libraries(service PRIVATE "${TORCH_LIBRARIES}")      # or torch

get_filename_component(TORCH_INSTALL_PREFIX "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
set(TORCH_INCLUDE_DIRS "${TORCH_INSTALL_PREFIX}/include" "${TORCH_INSTALL_PREFIX}/include/torch/csrc/api/include")
set(TORCH_CXX_FLAGS "")
set(TORCH_VERSION @TORCH_VERSION@)

if(NOT TARGET torch)
  foreach(_torch_library c10 torch_cpu)
    add_library(${_torch_library} SHARED IMPORTED)
    set_target_properties(${_torch_library} PROPERTIES
      IMPORTED_LOCATION "${TORCH_INSTALL_PREFIX}/lib/lib${_torch_library}.so"
      INTERFACE_COMPILE_FEATURES cxx_std_17
      INTERFACE_INCLUDE_DIRECTORIES "${TORCH_INCLUDE_DIRS}")
  endforeach()
  set_target_properties(torch_cpu PROPERTIES INTERFACE_LINK_LIBRARIES c10)
  add_library(torch INTERFACE IMPORTED)
  set_target_properties(torch PROPERTIES INTERFACE_LINK_LIBRARIES "torch_cpu;c10")
endif()

set(TORCH_LIBRARIES torch)
set(TORCH_FOUND TRUE)
