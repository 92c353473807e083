//! Rust types that are tensor elements.

use half::{bf16, f16};
use suanzi_codegen::Scalar;

/// A Rust type with a dtype.
pub trait Element: Copy + Send + Sync + 'static {
    /// Its dtype.
    const DTYPE: Scalar;

    /// The bytes of a slice, as they lie on the device.
    fn bytes(slice: &[Self]) -> &[u8];

    /// Elements from device bytes, whose length is a multiple of the element's.
    fn from_bytes(bytes: &[u8]) -> Vec<Self>;
}

macro_rules! pod {
    ($($t:ty = $dtype:ident;)*) => {$(
        impl Element for $t {
            const DTYPE: Scalar = Scalar::$dtype;
            fn bytes(slice: &[Self]) -> &[u8] {
                bytemuck::cast_slice(slice)
            }
            fn from_bytes(bytes: &[u8]) -> Vec<Self> {
                bytemuck::pod_collect_to_vec(bytes)
            }
        }
    )*};
}

pod! {
    i8 = I8;
    i16 = I16;
    i32 = I32;
    i64 = I64;
    u8 = U8;
    u16 = U16;
    u32 = U32;
    u64 = U64;
    f16 = F16;
    bf16 = Bf16;
    f32 = F32;
    f64 = F64;
}

impl Element for bool {
    const DTYPE: Scalar = Scalar::Bool;
    fn bytes(slice: &[Self]) -> &[u8] {
        bytemuck::cast_slice(slice)
    }
    fn from_bytes(bytes: &[u8]) -> Vec<Self> {
        bytes.iter().map(|&b| b != 0).collect()
    }
}
