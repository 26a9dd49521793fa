#pragma once
// Everything that Rust sees.

#include "arguments.h"
#include "call.h"
#include "chance.h"
#include "derivative.h"
#include "library.h"
#include "module.h"
#include "policy.h"
#include "recording.h"
#include "session.h"
#include "storage.h"

// Bridges hold pointers to it.
#include <torch/csrc/jit/api/module.h>
