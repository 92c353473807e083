//! Sources written by hand: what a kernel sees of its launch, what barriers and subgroups do, and
//! that divergence is an error which names who diverged.

use suanzi_sim::{Fault, Module, compile, launch};

/// Compiles a kernel `k` and runs it over `groups` along the first axis; `data` is its only buffer.
fn run(
    source: &str,
    groups: u32,
    block: [u32; 3],
    width: u32,
    data: &mut [u32],
) -> Result<(), Fault> {
    let artifact = compile(source, &[]).unwrap();
    let kernel = Module::load(&artifact)
        .unwrap()
        .kernel("k")
        .expect("it has k");
    let args = (data.as_mut_ptr() as u64).to_le_bytes();
    // SAFETY: the kernels here stay inside `data`.
    unsafe { launch(&kernel, [groups, 1, 1], block, &args, width) }
}

fn says(source: &str, block: u32, width: u32) -> String {
    let mut data = vec![0; 4096];
    run(source, 1, [block, 1, 1], width, &mut data)
        .unwrap_err()
        .to_string()
}

#[test]
fn work_items_know_who_they_are() {
    let source = "extern \"C\" __global__ void k(unsigned int* out) {
        unsigned int in = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
        unsigned int size = blockDim.x * blockDim.y * blockDim.z;
        out[blockIdx.x * size + in] = blockIdx.x * 1000 + threadIdx.x + 10 * threadIdx.y + 100 * threadIdx.z
            + 100000 * gridDim.x + 1000000 * (unsigned)warpSize;
    }";
    let mut out = vec![0; 500 * 24];
    run(source, 500, [2, 3, 4], 64, &mut out).unwrap();
    for (i, &got) in out.iter().enumerate() {
        let (group, linear) = (i as u32 / 24, i as u32 % 24);
        let [x, y, z] = [linear % 2, linear / 2 % 3, linear / 6];
        assert_eq!(
            got,
            group * 1000 + x + 10 * y + 100 * z + 50_000_000 + 64_000_000,
            "{i}"
        );
    }
}

#[test]
fn arguments_are_unpacked_by_their_types() {
    let source = "extern \"C\" __global__ void k(
        signed char a, double* out, short b, float c, long long d, bool e) {
        out[0] = a; out[1] = b; out[2] = c; out[3] = d; out[4] = e;
    }";
    let kernel = Module::load(&compile(source, &[]).unwrap())
        .unwrap()
        .kernel("k")
        .unwrap();
    let mut out = [0.0f64; 5];
    let mut args = vec![0u8; 33];
    args[0] = -3i8 as u8;
    args[8..16].copy_from_slice(&(out.as_mut_ptr() as u64).to_le_bytes());
    args[16..18].copy_from_slice(&(-300i16).to_le_bytes());
    args[20..24].copy_from_slice(&1.5f32.to_le_bytes());
    args[24..32].copy_from_slice(&(1i64 << 40).to_le_bytes());
    args[32] = 1;
    assert_eq!(kernel.args, 33);
    // SAFETY: the kernel writes five numbers.
    unsafe { launch(&kernel, [1; 3], [1; 3], &args, 32) }.unwrap();
    assert_eq!(out, [-3.0, -300.0, 1.5, (1u64 << 40) as f64, 1.0]);
    // SAFETY: nothing runs.
    let short = unsafe { launch(&kernel, [1; 3], [1; 3], &args[1..], 32) };
    assert_eq!(
        short.unwrap_err().what,
        "32 bytes of arguments were passed, it takes 33"
    );
}

#[test]
fn barriers_hold_the_whole_group() {
    // Each element is written by one work-item and read by another, round after round.
    let source = "extern \"C\" __global__ void __launch_bounds__(256) k(unsigned int* out) {
        __shared__ unsigned int tile[256];
        unsigned int i = threadIdx.x, v = i;
        for (int round = 1; round < 8; round++) {
            tile[i] = v;
            __syncthreads();
            v = tile[(i + 255) % 256] + round;
            __syncthreads();
        }
        out[blockIdx.x * 256 + i] = v;
    }";
    let mut out = vec![0; 256 * 40];
    run(source, 40, [256, 1, 1], 32, &mut out).unwrap();
    for (i, &got) in out.iter().enumerate() {
        assert_eq!(got, (i as u32 % 256 + 256 - 7) % 256 + 28);
    }
    let big = run(source, 1, [512, 1, 1], 32, &mut out).unwrap_err();
    assert!(big.what.contains("1 to 256 work-items"), "{big}");
}

#[test]
fn subgroups_exchange_at_every_width() {
    let source = "extern \"C\" __global__ void k(unsigned int* out) {
        unsigned int i = threadIdx.x, lane = i % warpSize;
        unsigned int sum = i;
        for (unsigned int by = 1; by < warpSize; by *= 2) {
            unsigned int other = __shfl_up(sum, by);
            if (lane >= by) sum += other;
        }
        out[i] = sum;
        out[300 + i] = __shfl_xor(i, 1);
        out[600 + i] = __shfl_down(i, 3);
        out[900 + i] = __shfl(i, 5);
        out[1200 + i] = __any(i == 131) * 2 + __all(i < 128);
        out[1500 + i] = (unsigned int)(__ballot(i % 3 == 0) & 0xffffffff);
    }";
    for width in [1, 32, 64, 128] {
        let mut out = vec![0; 1800];
        // The last subgroup is not full.
        let items = 270;
        run(source, 1, [items, 1, 1], width, &mut out).unwrap();
        for i in 0..items {
            let start = i - i % width;
            let end = (start + width).min(items);
            let at = |n: u32| out[(n + i) as usize];
            let inside = |lane: u32| {
                if (start..end).contains(&lane) {
                    lane
                } else {
                    i
                }
            };
            assert_eq!(at(0), (start..=i).sum::<u32>(), "{width} {i}");
            assert_eq!(at(300), inside(i ^ 1));
            assert_eq!(at(600), inside(i + 3));
            assert_eq!(at(900), inside(start + 5 % width));
            let votes = u32::from((start..end).contains(&131)) * 2 + u32::from(end <= 128);
            assert_eq!(at(1200), votes, "{width} {i}");
            let ballot = (start..end.min(start + 32)).filter(|n| n % 3 == 0);
            assert_eq!(at(1500), ballot.fold(0, |b, n| b | 1 << (n - start)));
        }
    }
}

/// Only whole subgroups have to agree.
#[test]
fn one_subgroup_may_do_what_others_do_not() {
    let source = "extern \"C\" __global__ void k(unsigned int* out) {
        if (threadIdx.x / warpSize == 1) out[threadIdx.x] = __shfl_xor(threadIdx.x, 2);
        __syncthreads();
        if (threadIdx.x == 0) out[0] = out[32];
    }";
    let mut out = vec![0; 128];
    run(source, 1, [128, 1, 1], 32, &mut out).unwrap();
    assert_eq!((out[0], out[33]), (34, 35));
}

#[test]
fn divergence_is_an_error() {
    let ended = says(
        "extern \"C\" __global__ void k(unsigned int* out) {
            if (threadIdx.x > 0) {
                __syncthreads();
            }
        }",
        64,
        32,
    );
    assert_eq!(
        ended,
        "kernel `k`: divergence: work-item [1, 0, 0] of group [0, 0, 0] waits at __syncthreads in line 3, \
         and work-item [0, 0, 0] of the same group has ended"
    );
    let elsewhere = says(
        "extern \"C\" __global__ void k(unsigned int* out) {
            if (threadIdx.x < 32) {
                __syncthreads();
            } else {
                __syncthreads();
            }
        }",
        64,
        32,
    );
    assert!(elsewhere.contains(
        "line 3, and work-item [32, 0, 0] of the same group waits at __syncthreads in line 5"
    ));
    let half = says(
        "extern \"C\" __global__ void k(unsigned int* out) {
            if (threadIdx.x % 2) out[threadIdx.x] = __shfl_down(threadIdx.x, 2);
        }",
        64,
        32,
    );
    assert!(
        half.contains("[1, 0, 0] of group [0, 0, 0] waits at __shfl_down in line 2"),
        "{half}"
    );
    assert!(half.contains("of the same subgroup has ended"), "{half}");
    let mask = says(
        "extern \"C\" __global__ void k(unsigned int* out) {
            out[threadIdx.x] = __shfl_xor_sync(0xffffu, threadIdx.x, 1);
        }",
        64,
        32,
    );
    assert!(
        mask.contains("the mask of __shfl_xor_sync in line 2 is 0xffff,"),
        "{mask}"
    );
    // After an error the same threads run on.
    barriers_hold_the_whole_group();
}

#[test]
fn atomics_hold_over_all_groups() {
    let source = "extern \"C\" __global__ void k(unsigned int* out) {
        atomicAdd(&out[0], 1u);
        atomicMax(&out[1], blockIdx.x);
        atomicAdd((float*)&out[2], 0.5f);
        unsigned long long* wide = (unsigned long long*)&out[4];
        atomicAdd(wide, 1ull << 20);
        unsigned int old = out[6], seen;
        do { seen = old; old = atomicCAS(&out[6], seen, seen + 2); } while (old != seen);
    }";
    let mut out = vec![0; 8];
    run(source, 1000, [64, 1, 1], 32, &mut out).unwrap();
    assert_eq!((out[0], out[1], out[6]), (64000, 999, 128000));
    assert_eq!(f32::from_bits(out[2]), 32000.0);
    assert_eq!(u64::from(out[4]) | u64::from(out[5]) << 32, 64000 << 20);
}

#[test]
fn floats_are_exact() {
    let source = "extern \"C\" __global__ void k(float* x) {
        x[10] = x[0] * x[1] + x[2];
        x[11] = fmaf(x[0], x[1], x[2]);
        x[12] = x[3] * 0.5f;
        x[13] = x[4] / x[5];
        x[14] = sqrtf(x[4]);
        x[15] = (float)(_Float16)x[4];
        x[16] = rintf(x[6]);
    }";
    let (a, b, tiny) = (1.000_000_1f32, 1.000_000_3f32, 1e-40f32);
    let input = [a, b, -(a * b), tiny, 0.7, 3.3, 2.5];
    let mut data: Vec<u32> = input.map(f32::to_bits).to_vec();
    data.resize(20, 0);
    run(source, 1, [1, 1, 1], 32, &mut data).unwrap();
    let got = |i: usize| f32::from_bits(data[i]);
    assert_eq!(got(10), 0.0);
    assert_eq!(got(11), a.mul_add(b, -(a * b)));
    assert_ne!(got(11), 0.0);
    assert_eq!(got(12), tiny * 0.5);
    assert_eq!((got(13), got(14)), (0.7 / 3.3, 0.7f32.sqrt()));
    assert_eq!((got(15), got(16)), (0.700_195_3, 2.0));
}

/// A kernel may have a name of the C library's.
#[test]
fn kernels_are_their_own() {
    let source = "extern \"C\" __global__ void random(unsigned int* out) { out[threadIdx.x] = 7; }";
    let artifact = compile(source, &[]).unwrap();
    let kernel = Module::load(&artifact).unwrap().kernel("random").unwrap();
    let mut out = [0u32; 4];
    let args = (out.as_mut_ptr() as u64).to_le_bytes();
    // SAFETY: the kernel writes four numbers.
    unsafe { launch(&kernel, [1; 3], [4, 1, 1], &args, 32) }.unwrap();
    assert_eq!(out, [7; 4]);
}

#[test]
fn what_is_wrong_is_said() {
    let log = compile(
        "extern \"C\" __global__ void k(int* x) { x[0] = nothing; }",
        &[],
    )
    .unwrap_err();
    assert!(
        log.contains("kernel:1:") && log.contains("nothing"),
        "{log}"
    );
    assert!(
        compile("", &["--frobnicate"])
            .unwrap_err()
            .contains("--frobnicate")
    );
    let mut artifact = compile("extern \"C\" __global__ void k(int* x) {}", &[]).unwrap();
    let module = Module::load(&artifact).unwrap();
    assert!(module.kernel("other").is_none() && module.kernel("k").is_some());
    artifact.truncate(artifact.len() - 1);
    assert!(Module::load(&artifact).err().unwrap().contains("damaged"));
}
