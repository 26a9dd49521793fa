//! The functions of TensorFlow's C API that we use, from `tensorflow/c/c_api.h` and `tensorflow/c/eager/c_api.h`.

// Named as in TensorFlow's headers.
#![allow(non_snake_case, non_camel_case_types)]

use libloading::os::unix::Library as SharedObject;
use std::ffi::{c_char, c_int, c_void};
use types::*;

/// The types behind the pointers.
pub(crate) mod types {
    use std::ffi::{c_char, c_void};
    use std::marker::{PhantomData, PhantomPinned};

    /// A type of C++ that is used only through pointers. The parameter distinguishes such types.
    #[repr(C)]
    pub(crate) struct Opaque<Kind> {
        _bytes: [u8; 0],
        _kind: PhantomData<(Kind, *mut u8, PhantomPinned)>,
    }

    macro_rules! opaque {
        ($($name:ident)*) => { $(pub(crate) enum $name {})* };
    }
    opaque!(StatusKind TensorKind ContextOptionsKind ContextKind OpKind HandleKind);

    pub(crate) type TF_Status = Opaque<StatusKind>;
    pub(crate) type TF_Tensor = Opaque<TensorKind>;
    pub(crate) type TFE_ContextOptions = Opaque<ContextOptionsKind>;
    pub(crate) type TFE_Context = Opaque<ContextKind>;
    pub(crate) type TFE_Op = Opaque<OpKind>;
    pub(crate) type TFE_TensorHandle = Opaque<HandleKind>;
    pub(crate) type Version = unsafe extern "C" fn() -> *const c_char;

    /// `TF_Buffer`.
    #[repr(C)]
    pub(crate) struct TF_Buffer {
        pub(crate) data: *const c_void,
        pub(crate) length: usize,
        pub(crate) data_deallocator: Option<unsafe extern "C" fn(*mut c_void, usize)>,
    }

    /// `TF_TString`: 24 bytes that only its own functions read.
    #[repr(C, align(8))]
    pub(crate) struct TF_TString {
        _bytes: [u8; 24],
    }
}

/// A table of functions: each is a field of `Api`, loaded by its name.
macro_rules! functions {
    ($($name:ident: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions, by their names in C.
        pub(crate) struct Api {
            $(pub(crate) $name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Api {
            /// Loads all functions of `object`; the error is the name of the first that it lacks.
            pub(super) fn load(object: &SharedObject) -> Result<Self, &'static str> {
                // SAFETY: the types are those of the headers, which TensorFlow keeps from version to version. The pointers stay valid,
                // because the library is never closed.
                unsafe { Ok(Self { $($name: *object.get(stringify!($name)).map_err(|_| stringify!($name))?,)* }) }
            }
        }
    };
}

functions! {
    TF_NewStatus: fn() -> *mut TF_Status;
    TF_DeleteStatus: fn(*mut TF_Status);
    TF_GetCode: fn(*const TF_Status) -> c_int;
    TF_Message: fn(*const TF_Status) -> *const c_char;
    TF_GetAllOpList: fn() -> *mut TF_Buffer;
    TF_DeleteBuffer: fn(*mut TF_Buffer);

    TF_AllocateTensor: fn(c_int, *const i64, c_int, usize) -> *mut TF_Tensor;
    TF_DeleteTensor: fn(*mut TF_Tensor);
    TF_TensorData: fn(*const TF_Tensor) -> *mut c_void;
    TF_TensorByteSize: fn(*const TF_Tensor) -> usize;
    TF_StringInit: fn(*mut TF_TString);
    TF_StringAssignView: fn(*mut TF_TString, *const c_char, usize);
    TF_StringGetDataPointer: fn(*const TF_TString) -> *const c_char;
    TF_StringGetSize: fn(*const TF_TString) -> usize;

    TFE_NewContextOptions: fn() -> *mut TFE_ContextOptions;
    TFE_ContextOptionsSetConfig: fn(*mut TFE_ContextOptions, *const c_void, usize, *mut TF_Status);
    TFE_DeleteContextOptions: fn(*mut TFE_ContextOptions);
    TFE_NewContext: fn(*const TFE_ContextOptions, *mut TF_Status) -> *mut TFE_Context;
    TFE_DeleteContext: fn(*mut TFE_Context);
    TFE_ContextAddFunctionDef: fn(*mut TFE_Context, *const c_char, usize, *mut TF_Status);
    TFE_ContextStartStep: fn(*mut TFE_Context);
    TFE_ContextEndStep: fn(*mut TFE_Context);
    TFE_ContextClearCaches: fn(*mut TFE_Context);

    TFE_NewOp: fn(*mut TFE_Context, *const c_char, *mut TF_Status) -> *mut TFE_Op;
    TFE_DeleteOp: fn(*mut TFE_Op);
    TFE_OpReset: fn(*mut TFE_Op, *const c_char, *const c_char, *mut TF_Status);
    TFE_OpSetAttrValueProto: fn(*const TFE_Op, *const c_char, *const c_void, usize, *mut TF_Status);
    TFE_OpAddInput: fn(*mut TFE_Op, *mut TFE_TensorHandle, *mut TF_Status);
    TFE_Execute: fn(*mut TFE_Op, *mut *mut TFE_TensorHandle, *mut c_int, *mut TF_Status);

    TFE_NewTensorHandle: fn(*const TF_Tensor, *mut TF_Status) -> *mut TFE_TensorHandle;
    TFE_DeleteTensorHandle: fn(*mut TFE_TensorHandle);
    TFE_TensorHandleDataType: fn(*mut TFE_TensorHandle) -> c_int;
    TFE_TensorHandleNumDims: fn(*mut TFE_TensorHandle, *mut TF_Status) -> c_int;
    TFE_TensorHandleDim: fn(*mut TFE_TensorHandle, c_int, *mut TF_Status) -> i64;
    TFE_TensorHandleResolve: fn(*mut TFE_TensorHandle, *mut TF_Status) -> *mut TF_Tensor;
}
