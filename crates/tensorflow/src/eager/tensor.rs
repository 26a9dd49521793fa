//! TensorFlow's tensors.

use super::attributes::{Attributes, one_type};
use super::context::Context;
use super::data_type::DataType;
use super::status::Status;
use crate::library::{Library, types::*};
use crate::{Error, Result};
use std::fmt;
use std::ptr;
use std::slice;
use std::sync::Arc;

/// A tensor in TensorFlow: a counted handle, cheap to clone, whose elements never change.
#[derive(Clone)]
pub struct Tensor(Arc<Handle>);

struct Handle {
    pointer: *mut TFE_TensorHandle,
    /// Outlives the handle, which refers to its devices.
    context: Arc<Context>,
}

// SAFETY: a handle counts atomically and locks what it computes lazily; TensorFlow itself moves it between threads.
unsafe impl Send for Handle {}
// SAFETY: as above; nothing changes a tensor through a shared handle.
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: we own the handle, and it is deleted once.
        unsafe { (self.context.library.api.TFE_DeleteTensorHandle)(self.pointer) }
    }
}

/// A `TF_Tensor`: elements in the memory of the host.
struct Elements {
    library: &'static Library,
    pointer: *mut TF_Tensor,
}

impl Drop for Elements {
    fn drop(&mut self) {
        // SAFETY: we own the tensor, and it is deleted once.
        unsafe { (self.library.api.TF_DeleteTensor)(self.pointer) }
    }
}

impl Elements {
    fn allocate(
        library: &'static Library,
        data_type: DataType,
        shape: &[usize],
        bytes: usize,
    ) -> Result<Self> {
        let failed = |reason: &str| Error::Tensor { action: "make", reason: reason.to_owned() };
        let extents: Result<Vec<i64>, _> = shape.iter().map(|&extent| i64::try_from(extent)).collect();
        let extents = extents.map_err(|_| failed("an extent is 2⁶³ or more"))?;
        let rank = i32::try_from(extents.len()).ok().filter(|&rank| rank <= 254);
        let rank = rank.ok_or_else(|| failed("it has more axes than TensorFlow allows"))?;
        // SAFETY: `extents` has `rank` elements; TensorFlow allocates the bytes itself.
        let pointer = unsafe { (library.api.TF_AllocateTensor)(data_type.0, extents.as_ptr(), rank, bytes) };
        if pointer.is_null() {
            return Err(failed("there is no memory for it"));
        }
        Ok(Self { library, pointer })
    }

    fn into_tensor(self, context: &Arc<Context>) -> Result<Tensor> {
        let status = Status::new(self.library);
        // SAFETY: the handle shares the elements and counts itself among their holders.
        let pointer = unsafe { (self.library.api.TFE_NewTensorHandle)(self.pointer, status.pointer()) };
        status.check().map_err(|reason| Error::Tensor { action: "make", reason })?;
        // SAFETY: a new handle, which we own.
        Ok(unsafe { Tensor::adopt(pointer, context) })
    }

    /// Its bytes; for strings, those of their descriptors.
    fn bytes(&self) -> &[u8] {
        let api = &self.library.api;
        // SAFETY: TensorFlow gives the address and the number of bytes, which live as long as the tensor; a tensor
        // without elements may have no address.
        unsafe {
            let data = (api.TF_TensorData)(self.pointer);
            let length = (api.TF_TensorByteSize)(self.pointer);
            if data.is_null() { &[] } else { slice::from_raw_parts(data.cast(), length) }
        }
    }
}

fn count(shape: &[usize]) -> Result<usize> {
    let product = shape.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent));
    product
        .ok_or_else(|| Error::Tensor { action: "make", reason: format!("{shape:?} has too many elements") })
}

impl Context {
    /// A tensor of plain elements, from their bytes in row-major order and the machine's byte order.
    ///
    /// # Errors
    /// [`Error::Tensor`] if the bytes do not fit type and shape.
    pub fn tensor(self: &Arc<Self>, data_type: DataType, shape: &[usize], bytes: &[u8]) -> Result<Tensor> {
        let size = data_type.size().and_then(|size| count(shape).ok()?.checked_mul(size));
        if size != Some(bytes.len()) {
            let reason = format!("{} bytes do not make a {data_type} tensor of shape {shape:?}", bytes.len());
            return Err(Error::Tensor { action: "make", reason });
        }
        let elements = Elements::allocate(self.library, data_type, shape, bytes.len())?;
        // SAFETY: the tensor is new, nobody else uses it, and it has this many bytes.
        unsafe {
            let data = (self.library.api.TF_TensorData)(elements.pointer);
            if !data.is_null() {
                ptr::copy_nonoverlapping(bytes.as_ptr(), data.cast(), bytes.len());
            }
        }
        elements.into_tensor(self)
    }

    /// A tensor of byte strings, in row-major order.
    ///
    /// # Errors
    /// [`Error::Tensor`] if their number does not fit the shape.
    pub fn strings<S: AsRef<[u8]>>(self: &Arc<Self>, shape: &[usize], strings: &[S]) -> Result<Tensor> {
        if count(shape)? != strings.len() {
            let reason = format!("{} strings do not make a tensor of shape {shape:?}", strings.len());
            return Err(Error::Tensor { action: "make", reason });
        }
        let api = &self.library.api;
        let bytes = strings.len().saturating_mul(size_of::<TF_TString>());
        let elements = Elements::allocate(self.library, DataType::STRING, shape, bytes)?;
        // SAFETY: the tensor is new, nobody else uses it, and it has room for each descriptor. A view owns nothing, so nothing is lost
        // if it is never destroyed; the strings live until the tensor is copied, below.
        unsafe {
            let descriptors = (api.TF_TensorData)(elements.pointer).cast::<TF_TString>();
            for (index, string) in strings.iter().enumerate() {
                let (descriptor, string) = (descriptors.add(index), string.as_ref());
                (api.TF_StringInit)(descriptor);
                (api.TF_StringAssignView)(descriptor, string.as_ptr().cast(), string.len());
            }
        }
        let views = elements.into_tensor(self)?;
        let number = |number: i32| self.tensor(DataType::INT32, &[], &number.to_ne_bytes());
        // Copies the strings into memory that TensorFlow owns.
        let whole = [&views, &number(0)?, &number(i32::MAX)?];
        let copied = self.execute(c"Substr", &Attributes::default(), whole, 1);
        let copied = copied.map_err(|reason| Error::Tensor { action: "make", reason })?;
        copied
            .into_iter()
            .next()
            .ok_or(Error::Tensor { action: "make", reason: "TensorFlow did not return it".into() })
    }
}

impl Tensor {
    /// # Safety
    /// `pointer` is a handle of `context` or of none, and the caller owns it.
    pub(super) unsafe fn adopt(pointer: *mut TFE_TensorHandle, context: &Arc<Context>) -> Self {
        Self(Arc::new(Handle { pointer, context: Arc::clone(context) }))
    }

    pub(super) fn pointer(&self) -> *mut TFE_TensorHandle {
        self.0.pointer
    }

    /// The address of its handle, which identifies the tensor as long as the handle lives.
    pub(crate) fn address(&self) -> usize {
        self.0.pointer as usize
    }

    /// The context it lives in.
    pub fn context(&self) -> &Arc<Context> {
        &self.0.context
    }

    /// The type of its elements.
    pub fn data_type(&self) -> DataType {
        // SAFETY: the handle lives.
        DataType(unsafe { (self.0.context.library.api.TFE_TensorHandleDataType)(self.0.pointer) })
    }

    /// The extent of each axis.
    ///
    /// # Errors
    /// [`Error::Tensor`] with TensorFlow's reason.
    pub fn shape(&self) -> Result<Vec<usize>> {
        let api = &self.0.context.library.api;
        let status = Status::new(self.0.context.library);
        // SAFETY: the handle lives.
        let rank = unsafe { (api.TFE_TensorHandleNumDims)(self.0.pointer, status.pointer()) };
        // SAFETY: the handle lives, and the axis is one of its own.
        let extent = |axis| unsafe { (api.TFE_TensorHandleDim)(self.0.pointer, axis, status.pointer()) };
        let extents = (0..rank).map(|axis| usize::try_from(extent(axis)).unwrap_or_default()).collect();
        status.check().map(|()| extents).map_err(|reason| Error::Tensor { action: "measure", reason })
    }

    /// The same numbers in another element type; itself if it has that type.
    ///
    /// # Errors
    /// [`Error::Tensor`] if TensorFlow has no such conversion.
    pub fn cast(&self, data_type: DataType) -> Result<Self> {
        if self.data_type() == data_type {
            return Ok(self.clone());
        }
        let types = one_type(c"DstT", data_type).and(one_type(c"SrcT", self.data_type()));
        let made = self.context().execute(c"Cast", &types, [self], 1);
        let made = made.map_err(|reason| Error::Tensor { action: "convert", reason })?;
        made.into_iter()
            .next()
            .ok_or(Error::Tensor { action: "convert", reason: "TensorFlow did not return it".into() })
    }

    /// Its elements in row-major order and the machine's byte order.
    ///
    /// # Errors
    /// [`Error::Tensor`] for elements that are not plain bytes.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        self.read(|elements| elements.bytes().to_vec(), |data_type| data_type.size().is_some())
    }

    /// Its elements, byte strings, in row-major order.
    ///
    /// # Errors
    /// [`Error::Tensor`] for elements of another type.
    pub fn strings(&self) -> Result<Vec<Vec<u8>>> {
        let api = &self.0.context.library.api;
        // SAFETY: a descriptor holds address and length of its string, valid as long as the tensor lives.
        let string = |descriptor: *const TF_TString| unsafe {
            let length = (api.TF_StringGetSize)(descriptor);
            slice::from_raw_parts((api.TF_StringGetDataPointer)(descriptor).cast::<u8>(), length).to_vec()
        };
        let all = |elements: &Elements| {
            let descriptors = elements.bytes().chunks_exact(size_of::<TF_TString>());
            descriptors.map(|descriptor| string(descriptor.as_ptr().cast())).collect()
        };
        self.read(all, |data_type| data_type == DataType::STRING)
    }

    fn read<T>(&self, what: impl Fn(&Elements) -> T, readable: impl Fn(DataType) -> bool) -> Result<T> {
        let data_type = self.data_type();
        if !readable(data_type) {
            let reason = format!("its elements are {data_type}, not of the requested type");
            return Err(Error::Tensor { action: "read", reason });
        }
        let library = self.0.context.library;
        let status = Status::new(library);
        // SAFETY: the handle lives; we own the tensor that it returns.
        let pointer = unsafe { (library.api.TFE_TensorHandleResolve)(self.0.pointer, status.pointer()) };
        status.check().map_err(|reason| Error::Tensor { action: "read", reason })?;
        Ok(what(&Elements { library, pointer }))
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({} {:?})", self.data_type(), self.shape().unwrap_or_default())
    }
}
