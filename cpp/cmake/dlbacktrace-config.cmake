# find_package(dlbacktrace CONFIG [COMPONENTS torch])
#
#   dlbacktrace::dlbacktrace   C and C++ without headers of a framework; loads what explains TorchScript when it is needed
#   dlbacktrace::static        the same, linked into the program
#   dlbacktrace::torch         and <dlbacktrace/torch.hpp>, with the program's libtorch @TORCH_VERSION@: the one that
#                              find_package(Torch) has found, else in the directory that LIBTORCH names (a variable of CMake
#                              or of the environment), else the one that find_package(Torch) finds

get_filename_component(_dlbacktrace_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)

if(NOT TARGET dlbacktrace::dlbacktrace)
  add_library(dlbacktrace::dlbacktrace SHARED IMPORTED)
  set_target_properties(dlbacktrace::dlbacktrace PROPERTIES
    IMPORTED_LOCATION "${_dlbacktrace_prefix}/lib/libdlbacktrace.so.1"
    IMPORTED_SONAME libdlbacktrace.so.1
    INTERFACE_COMPILE_FEATURES cxx_std_17
    INTERFACE_INCLUDE_DIRECTORIES "${_dlbacktrace_prefix}/include")

  add_library(dlbacktrace::static STATIC IMPORTED)
  set_target_properties(dlbacktrace::static PROPERTIES
    IMPORTED_LOCATION "${_dlbacktrace_prefix}/lib/libdlbacktrace.a"
    INTERFACE_COMPILE_FEATURES cxx_std_17
    INTERFACE_LINK_LIBRARIES "gcc_s;pthread;m;dl;c"
    INTERFACE_INCLUDE_DIRECTORIES "${_dlbacktrace_prefix}/include")
endif()

foreach(_dlbacktrace_component IN LISTS dlbacktrace_FIND_COMPONENTS)
  if(NOT _dlbacktrace_component STREQUAL "torch" AND dlbacktrace_FIND_REQUIRED_${_dlbacktrace_component})
    set(dlbacktrace_FOUND FALSE)
    set(dlbacktrace_NOT_FOUND_MESSAGE "there is no component ${_dlbacktrace_component}; torch is the only one.")
  endif()
endforeach()

if("torch" IN_LIST dlbacktrace_FIND_COMPONENTS AND NOT TARGET dlbacktrace::torch)
  set(dlbacktrace_torch_FOUND FALSE)
  if(NOT TARGET torch AND (LIBTORCH OR DEFINED ENV{LIBTORCH}))
    set(_dlbacktrace_hints "${LIBTORCH}" "$ENV{LIBTORCH}")
    find_path(dlbacktrace_TORCH_INCLUDE ATen/ATen.h HINTS ${_dlbacktrace_hints} PATH_SUFFIXES include)
    find_library(dlbacktrace_TORCH_CPU torch_cpu HINTS ${_dlbacktrace_hints} PATH_SUFFIXES lib)
    find_library(dlbacktrace_C10 c10 HINTS ${_dlbacktrace_hints} PATH_SUFFIXES lib)
    if(dlbacktrace_TORCH_INCLUDE AND dlbacktrace_TORCH_CPU AND dlbacktrace_C10)
      set(_dlbacktrace_torch_libraries "${dlbacktrace_TORCH_CPU}" "${dlbacktrace_C10}")
      set(_dlbacktrace_torch_includes "${dlbacktrace_TORCH_INCLUDE}" "${dlbacktrace_TORCH_INCLUDE}/torch/csrc/api/include")
    endif()
  else()
    find_package(Torch CONFIG QUIET)
    set(_dlbacktrace_torch_libraries ${TORCH_LIBRARIES})
    set(_dlbacktrace_torch_includes ${TORCH_INCLUDE_DIRS})
  endif()

  set(_dlbacktrace_found none)
  foreach(_dlbacktrace_include IN LISTS _dlbacktrace_torch_includes)
    foreach(_dlbacktrace_header torch/headeronly/version.h torch/version.h)
      if(EXISTS "${_dlbacktrace_include}/${_dlbacktrace_header}")
        file(STRINGS "${_dlbacktrace_include}/${_dlbacktrace_header}" _dlbacktrace_lines REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
        string(REGEX MATCHALL "[0-9]+" _dlbacktrace_numbers "${_dlbacktrace_lines}")
        if(_dlbacktrace_numbers)
          string(REPLACE ";" "." _dlbacktrace_found "${_dlbacktrace_numbers}")
        endif()
      endif()
    endforeach()
  endforeach()
  if(_dlbacktrace_found STREQUAL "@TORCH_VERSION@")
    add_library(dlbacktrace::torch INTERFACE IMPORTED)
    set_target_properties(dlbacktrace::torch PROPERTIES
      INTERFACE_COMPILE_FEATURES cxx_std_17
      INTERFACE_INCLUDE_DIRECTORIES "${_dlbacktrace_torch_includes}"
      INTERFACE_LINK_LIBRARIES "dlbacktrace::dlbacktrace;${_dlbacktrace_torch_libraries}")
    set(dlbacktrace_torch_FOUND TRUE)
  elseif(dlbacktrace_FIND_REQUIRED_torch)
    set(dlbacktrace_FOUND FALSE)
    set(dlbacktrace_NOT_FOUND_MESSAGE
      "libtorch @TORCH_VERSION@ is needed, and ${_dlbacktrace_found} was found. Let LIBTORCH or Torch_DIR name a libtorch @TORCH_VERSION@.")
  endif()
endif()
