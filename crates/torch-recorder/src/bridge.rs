//! The border to C++: only what is declared here crosses it. Plain data crosses as shared structs, tensors as `at::Tensor`.

use crate::watcher::Watcher;

#[cxx::bridge(namespace = "dlbacktrace::torch_")]
pub(crate) mod ffi {
    /// Which tensors of a recorded operator stay in memory. Identities, shapes and types are always recorded.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    enum Keep {
        /// All tensors it read and wrote.
        All,
        /// All tensors it read.
        Read,
        /// All tensors it read and did not write over.
        Unwritten,
        /// All tensors that it returned or wrote.
        Results,
        /// All tensors it read but the first.
        Rest,
        /// Integer and boolean tensors and single numbers; of other tensors only identity, shape and type.
        Indices,
    }

    /// Why running an operator once more may give something else for the same sample.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    enum Chance {
        /// It gives the same.
        None,
        /// It draws random numbers.
        Drawn,
        /// It takes statistics of the batch, as in training: its result for a sample depends on the other samples.
        Batch,
    }

    /// A leaf operator of a policy.
    struct Leaf {
        name: String,
        keep: Keep,
    }

    /// What an opened group of arguments becomes.
    enum Container {
        List,
        Tuple,
        Dict,
    }

    /// What a recorded argument holds, which decides the fields of `RawArgument` that are set.
    enum ArgumentKind {
        None,
        Tensor,
        Tensors,
        Int,
        Ints,
        Double,
        Doubles,
        Bool,
        Bools,
        Text,
        Other,
    }

    /// A tensor in a call: its value, or `undefined`; `keep` if the policy keeps it for this call.
    struct RawSlot {
        value: usize,
        undefined: bool,
        keep: bool,
    }

    /// One argument; bools are ints 0 and 1.
    struct RawArgument {
        name: String,
        kind: ArgumentKind,
        ints: Vec<i64>,
        doubles: Vec<f64>,
        text: String,
        slots: Vec<RawSlot>,
    }

    /// One tensor that a call gave; `fresh` if the call made the value.
    struct RawOutput {
        value: usize,
        fresh: bool,
        keep: bool,
    }

    /// A strided region of a storage; offset and strides in elements.
    struct RawPatch {
        value: usize,
        offset: i64,
        sizes: Vec<i64>,
        strides: Vec<i64>,
    }

    /// One record: a call, or an alias when `patches` (sources, then the value read) is not empty.
    struct RawRecord {
        name: String,
        overload: String,
        base: String,
        path: String,
        class_name: String,
        source: String,
        chance: Chance,
        arguments: Vec<RawArgument>,
        outputs: Vec<RawOutput>,
        patches: Vec<RawPatch>,
    }

    /// Where a value comes from.
    enum OriginKind {
        Computed,
        Input,
        Parameter,
        Buffer,
        Constant,
    }

    /// What is known of a value without its tensor.
    struct RawValue {
        sizes: Vec<i64>,
        dtype: i32,
        origin: OriginKind,
        name: String,
    }

    /// A named value at the edge of the computation.
    struct RawPort {
        name: String,
        value: usize,
    }

    /// The result of a replay.
    struct RawReplay {
        checked: usize,
        skipped: usize,
        failed: Vec<String>,
    }

    /// One argument of `forward`, without `self`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    struct FormalArgument {
        /// Its name.
        name: String,
        /// Its type as TorchScript writes it, such as `"Optional[List[Tensor]]"`.
        type_name: String,
        /// Whether it may be left out.
        has_default: bool,
    }

    /// A module in the tree of modules.
    #[derive(Debug, Clone, PartialEq, Eq)]
    struct Submodule {
        /// Its dotted path, such as `"layer1.0.conv1"`; empty for the module itself.
        path: String,
        /// The name of its class, such as `"Conv2d"`.
        class_name: String,
    }

    /// A parameter or buffer.
    #[derive(Debug, Clone, PartialEq, Eq)]
    struct NamedTensor {
        /// Its dotted path, such as `"layer1.0.conv1.weight"`.
        name: String,
        /// Its shape.
        sizes: Vec<i64>,
        /// The code of its c10 `ScalarType`.
        dtype: i32,
        /// Whether it is a buffer; otherwise it is a parameter.
        is_buffer: bool,
    }

    /// How often an operator stands in the code of `forward` and of all that it calls.
    #[derive(Debug, Clone, PartialEq, Eq)]
    struct OperatorCount {
        /// The qualified name without overload, such as `"aten::conv2d"` or `"prim::If"`.
        name: String,
        /// How often it stands there, whether or not it ever runs.
        count: usize,
        /// Whether it computes tensors from tensors, unlike factories, sizes and the handling of lists.
        computes: bool,
        /// Whether libtorch composes it of other operators, into which a run follows it.
        composite: bool,
    }

    /// An operator in the code whose results depend on random numbers or on the batch.
    #[derive(Debug, Clone, PartialEq, Eq)]
    struct ChanceUse {
        /// Its qualified name without overload.
        name: String,
        /// The dotted path of its module, as far as the code shows it.
        path: String,
        /// The class of that module.
        class_name: String,
        /// Why.
        chance: Chance,
    }

    extern "Rust" {
        type Watcher;

        fn goes_on(self: &Watcher) -> bool;
    }

    unsafe extern "C++" {
        include!("bridge.h");

        /// `at::Tensor`.
        #[namespace = "at"]
        #[cxx_name = "Tensor"]
        type AtTensor;
        /// `torch::jit::Module`.
        #[namespace = "torch::jit"]
        #[cxx_name = "Module"]
        type JitModule;

        type FixedGenerator;
        type Arguments;
        type Bound;
        type Module;
        type Policy;
        type Session;
        type Recording;
        type Tensors;

        fn new_arguments() -> UniquePtr<Arguments>;
        fn push_none(self: Pin<&mut Arguments>) -> Result<()>;
        fn push_tensor(self: Pin<&mut Arguments>, tensor: &AtTensor) -> Result<()>;
        fn push_int(self: Pin<&mut Arguments>, value: i64) -> Result<()>;
        fn push_float(self: Pin<&mut Arguments>, value: f64) -> Result<()>;
        fn push_bool(self: Pin<&mut Arguments>, value: bool) -> Result<()>;
        fn push_text(self: Pin<&mut Arguments>, value: &str) -> Result<()>;
        fn open(self: Pin<&mut Arguments>, container: Container) -> Result<()>;
        fn close(self: Pin<&mut Arguments>) -> Result<()>;
        fn keyword(self: Pin<&mut Arguments>, name: &str) -> Result<()>;

        fn load_module(path: &str) -> Result<UniquePtr<Module>>;
        fn share_module(module: &JitModule) -> Result<UniquePtr<Module>>;
        fn bind(self: &Module, arguments: &Arguments) -> Result<UniquePtr<Bound>>;
        fn forward(self: &Module, bound: UniquePtr<Bound>) -> Result<UniquePtr<Recording>>;
        fn record(
            self: &Module,
            bound: UniquePtr<Bound>,
            policy: &SharedPtr<Policy>,
            watcher: Box<Watcher>,
        ) -> Result<UniquePtr<Recording>>;
        fn arguments(self: &Module) -> Result<Vec<FormalArgument>>;
        fn returns(self: &Module) -> Result<String>;
        fn submodules(self: &Module) -> Result<Vec<Submodule>>;
        fn tensors(self: &Module) -> Result<Vec<NamedTensor>>;
        fn operators(self: &Module) -> Result<Vec<OperatorCount>>;
        fn chances(self: &Module) -> Result<Vec<ChanceUse>>;
        fn keeps_state(self: &Module) -> bool;
        fn left_training(self: &Module) -> bool;

        fn new_policy(leaves: &[Leaf], keep_all: bool) -> SharedPtr<Policy>;

        fn new_session(policy: &SharedPtr<Policy>) -> Result<UniquePtr<Session>>;
        fn name(self: Pin<&mut Session>, name: &str, tensor: &AtTensor) -> Result<()>;
        fn input(self: Pin<&mut Session>, name: &str, tensor: &AtTensor) -> Result<()>;
        fn start(self: Pin<&mut Session>) -> Result<()>;
        fn output(self: Pin<&mut Session>, name: &str, tensor: &AtTensor) -> Result<()>;
        fn finish(self: Pin<&mut Session>) -> Result<UniquePtr<Recording>>;

        fn take_records(self: Pin<&mut Recording>) -> Vec<RawRecord>;
        fn values(self: &Recording) -> Vec<RawValue>;
        fn inputs(self: &Recording) -> Vec<RawPort>;
        fn outputs(self: &Recording) -> Vec<RawPort>;
        fn tensor(self: &Recording, value: usize) -> UniquePtr<AtTensor>;
        fn release(self: Pin<&mut Recording>);
        fn replay(self: &Recording) -> Result<RawReplay>;

        fn call_operator(name: &str, overload: &str, arguments: &Arguments) -> Result<UniquePtr<Tensors>>;
        fn differentiate(
            name: &str,
            overload: &str,
            arguments: &Arguments,
            values: &[usize],
            wanted: &[usize],
            arriving: &Tensors,
        ) -> Result<UniquePtr<Tensors>>;
        fn new_tensors() -> UniquePtr<Tensors>;
        fn push(self: Pin<&mut Tensors>, tensor: &AtTensor);
        fn push_undefined(self: Pin<&mut Tensors>);
        fn size(self: &Tensors) -> usize;
        fn at(self: &Tensors, index: usize) -> Result<UniquePtr<AtTensor>>;

        fn fix_generator(seed: u64) -> Result<UniquePtr<FixedGenerator>>;

        fn handle(tensor: &AtTensor) -> UniquePtr<AtTensor>;
        fn is_strided(tensor: &AtTensor) -> bool;
        fn holds_alone(tensor: &AtTensor) -> Result<bool>;

        fn libtorch_version() -> String;
        fn load_library(path: &str) -> Result<()>;
        fn tune_allocator();
    }

    // For the bridges of other crates.
    impl UniquePtr<JitModule> {}
    impl SharedPtr<JitModule> {}
    impl SharedPtr<AtTensor> {}
    impl CxxVector<AtTensor> {}
}

// SAFETY: a policy never changes after it is built, and its C++ side holds plain data.
unsafe impl Send for ffi::Policy {}
// SAFETY: as above; all its methods are const.
unsafe impl Sync for ffi::Policy {}

// SAFETY: a module holds reference-counted libtorch objects with atomic counts, none of them bound to a thread.
unsafe impl Send for ffi::Module {}
// SAFETY: all methods are const; libtorch's executors compile under a lock of their own, and a module that keeps
// state or writes into its own tensors runs on a private copy.
unsafe impl Sync for ffi::Module {}

// SAFETY: a recording holds tensors and plain data, none of them bound to a thread; recording has ended when Rust gets it.
unsafe impl Send for ffi::Recording {}
