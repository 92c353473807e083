//! Convolutions: every different one of ResNet-50, batch 1, f32, beside ONNX Runtime's CPU path.
//!
//! This library is measured with channels first and with channels last; the faster of the two counts. ONNX Runtime has
//! channels first, and packs its weights when it is given the model; this library packs them in each run.

mod runtime;

use super::report::{Figure, Report};
use super::{Work, progress, turns};
use crate::{Bar, Bars, Result, Spread, data, ensure};
use runtime::Runtime;
use suanzi_backends::Context;
use suanzi_ops::Tensor;
use suanzi_ops::ops::{ConvLayer, Convolution, Layout};

/// The side of the image, channels in and out, the side of the window, and the stride.
struct Shape([usize; 5]);

/// The distinct shapes of ResNet-50 for an image of 224 x 224.
const RESNET50: [Shape; 23] = [
    Shape([224, 3, 64, 7, 2]),
    Shape([56, 64, 64, 1, 1]),
    Shape([56, 64, 64, 3, 1]),
    Shape([56, 64, 256, 1, 1]),
    Shape([56, 256, 64, 1, 1]),
    Shape([56, 256, 128, 1, 1]),
    Shape([56, 128, 128, 3, 2]),
    Shape([28, 128, 512, 1, 1]),
    Shape([56, 256, 512, 1, 2]),
    Shape([28, 512, 128, 1, 1]),
    Shape([28, 128, 128, 3, 1]),
    Shape([28, 512, 256, 1, 1]),
    Shape([28, 256, 256, 3, 2]),
    Shape([14, 256, 1024, 1, 1]),
    Shape([28, 512, 1024, 1, 2]),
    Shape([14, 1024, 256, 1, 1]),
    Shape([14, 256, 256, 3, 1]),
    Shape([14, 1024, 512, 1, 1]),
    Shape([14, 512, 512, 3, 2]),
    Shape([7, 512, 2048, 1, 1]),
    Shape([14, 1024, 2048, 1, 2]),
    Shape([7, 2048, 512, 1, 1]),
    Shape([7, 512, 512, 3, 1]),
];

/// What the mean over all shapes must reach.
const BAR: f64 = 0.95;

impl Shape {
    fn pad(&self) -> usize {
        self.0[3] / 2
    }

    /// The side of the result.
    fn places(&self) -> usize {
        let [side, _, _, window, stride] = self.0;
        (side + 2 * self.pad() - window) / stride + 1
    }

    fn name(&self) -> String {
        let [side, input, output, window, stride] = self.0;
        let step = if stride > 1 {
            format!(" by {stride}")
        } else {
            String::new()
        };
        format!("{side}x{side} {input} to {output}, {window}x{window}{step}")
    }

    /// Places, channels out, and what is summed for each.
    fn size(&self) -> [usize; 3] {
        let [_, input, output, window, _] = self.0;
        [self.places().pow(2), output, input * window * window]
    }

    fn flops(&self) -> f64 {
        2.0 * self.size().iter().map(|&d| d as f64).product::<f64>()
    }

    /// Bytes that must move.
    fn bytes(&self) -> f64 {
        let [side, input, ..] = self.0;
        let [places, output, sums] = self.size();
        4.0 * (side * side * input + output * sums + places * output) as f64
    }
}

/// A convolution's inputs, channels first.
struct Problem<'a> {
    shape: &'a Shape,
    image: Vec<f32>,
    weights: Vec<f32>,
}

impl Problem<'_> {
    fn new(shape: &Shape) -> Problem<'_> {
        let [side, input, output, window, _] = shape.0;
        Problem {
            shape,
            image: data::varied(input * side * side, 1),
            weights: data::varied(output * input * window * window, 2),
        }
    }

    /// Whether a result, channels first, is right here and there.
    fn check(&self, got: &[f32]) -> Result<()> {
        let [side, input, output, window, stride] = self.shape.0;
        let (places, pad) = (self.shape.places(), self.shape.pad());
        ensure!(
            got.len() == output * places * places,
            "{} elements",
            got.len()
        );
        for at in (0..got.len())
            .step_by(got.len() / 97 + 1)
            .chain([got.len() - 1])
        {
            let (o, y, x) = (at / places / places, at / places % places, at % places);
            let (mut sum, mut size) = (0.0, 0.0);
            for (c, v, u) in (0..input * window * window)
                .map(|i| (i / window / window, i / window % window, i % window))
            {
                let place = |at: usize, by: usize| {
                    (at * stride + by).checked_sub(pad).filter(|&p| p < side)
                };
                if let (Some(row), Some(column)) = (place(y, v), place(x, u)) {
                    let pixel = self.image[(c * side + row) * side + column];
                    let weight = self.weights[((o * input + c) * window + v) * window + u];
                    let term = f64::from(pixel) * f64::from(weight);
                    sum += term;
                    size += term.abs();
                }
            }
            let limit = (self.shape.size()[2] + 8) as f64 * f64::from(f32::EPSILON) * size;
            ensure!(
                (f64::from(got[at]) - sum).abs() <= limit,
                "element {at} is {}, not {sum}",
                got[at]
            );
        }
        Ok(())
    }
}

/// This library, in one layout.
struct Ours<'a> {
    ctx: &'a Context,
    image: Tensor,
    layout: Layout,
    layer: ConvLayer,
}

impl Ours<'_> {
    fn new<'a>(ctx: &'a Context, problem: &Problem<'_>, layout: Layout) -> Result<Ours<'a>> {
        let [side, input, output, window, stride] = problem.shape.0;
        let laid = |values: &[f32], shape: [usize; 4]| -> Result<Tensor> {
            let first = Tensor::from_slice(ctx, &shape, values)?;
            Ok(match layout {
                Layout::ChannelsFirst => first,
                Layout::ChannelsLast => first.permute(&[0, 2, 3, 1])?.contiguous()?,
            })
        };
        Ok(Ours {
            ctx,
            image: laid(&problem.image, [1, input, side, side])?,
            layout,
            layer: ConvLayer::new(
                &laid(&problem.weights, [output, input, window, window])?,
                None,
                Convolution {
                    strides: vec![stride; 2],
                    pads: vec![(problem.shape.pad(), problem.shape.pad()); 2],
                    layout,
                    ..Convolution::default()
                },
            ),
        })
    }

    fn run(&self) -> Result<Tensor> {
        let result = self.layer.run(&self.image)?;
        self.ctx.device().sync()?;
        Ok(result)
    }

    /// Channels first.
    fn result(&self) -> Result<Vec<f32>> {
        let result = self.run()?;
        Ok(match self.layout {
            Layout::ChannelsFirst => result.to_vec()?,
            Layout::ChannelsLast => result.permute(&[0, 3, 1, 2])?.to_vec()?,
        })
    }
}

/// Measures all, and judges the geometric mean; named files are ONNX Runtime's library.
///
/// # Errors
/// The device's or ONNX Runtime's, but not that this is absent.
pub fn measure(
    ctx: &Context,
    files: &[String],
    rounds: usize,
    report: &mut Report,
    bars: &mut Bars,
) -> Result<()> {
    let runtime = match Runtime::load(files) {
        Ok(runtime) => Some(runtime),
        Err(why) => {
            report.is_absent(PEER, format!("{why:#}"));
            None
        }
    };
    let own = |layout| format!("{} channels {layout}", ctx.device().info().id);
    let names = [own("first"), own("last"), PEER.into()];
    let info = ctx.device().info();
    for name in &names[..2] {
        report.takes_part(
            name,
            format!(
                "{}, {}; weights are packed in each run",
                info.name, info.driver
            ),
        );
    }
    if let Some(runtime) = &runtime {
        report.takes_part(PEER, runtime.about());
    }
    let bar = progress(RESNET50.len())?;
    // Of each shape, round by round, of the faster layout.
    let mut ratios: Vec<Vec<f64>> = vec![];
    for (at, shape) in RESNET50.iter().enumerate() {
        bar.set_message(shape.name());
        let problem = Problem::new(shape);
        let ours = [
            Ours::new(ctx, &problem, Layout::ChannelsFirst)?,
            Ours::new(ctx, &problem, Layout::ChannelsLast)?,
        ];
        let mut wrong = vec![];
        for ours in &ours {
            wrong.push(problem.check(&ours.result()?).err());
        }
        let mut session = runtime.as_ref().map(|r| r.prepare(&problem)).transpose()?;
        if let Some(session) = &mut session {
            wrong.push(problem.check(&session.result()?).err());
        }
        let mut works: Vec<Work<'_>> = vec![];
        for ours in &ours {
            works.push(Box::new(|| ours.run().map(drop)));
        }
        if let Some(session) = &mut session {
            works.push(Box::new(|| session.run()));
        }
        let samples = turns(works.into_iter(), rounds)?;
        let faster = match samples[0].spread().median <= samples[1].spread().median {
            true => 0,
            false => 1,
        };
        if let Some(theirs) = samples.get(2) {
            let pairs = samples[faster].0.iter().zip(&theirs.0);
            ratios.push(pairs.map(|(ours, theirs)| theirs / ours).collect());
        }
        for (i, (sample, wrong)) in samples.iter().zip(wrong).enumerate() {
            let figure = Figure {
                routine: "conv".into(),
                dtype: "f32".into(),
                size: shape.size(),
                case: shape.name(),
                side: Some(at as f64 + 1.0),
                flops: shape.flops(),
                bytes: shape.bytes(),
                contender: names[i].clone(),
                unit: "GFLOP/s".into(),
                rate: sample
                    .against(sample, |t, _| shape.flops() / t / 1e9)
                    .into(),
                milliseconds: sample.spread().scaled(1e3).into(),
                of_ours: (i != faster)
                    .then(|| samples[faster].against(sample, |ours, t| t / ours).into()),
                wrong: wrong.map(|e| e.to_string()),
            };
            bar.suspend(|| println!("{figure}"));
            report.figures.push(figure);
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    if runtime.is_some() {
        let rounds = ratios.iter().map(Vec::len).min().unwrap_or(0);
        let mean = |round: usize| {
            let logarithms = ratios.iter().map(|r| r[round].ln());
            (logarithms.sum::<f64>() / ratios.len() as f64).exp()
        };
        let mean = Spread::of((0..rounds).map(mean).collect());
        let name = "conv, geometric mean over ResNet-50's shapes";
        bars.judge(name, mean, "of ONNX Runtime's speed", Bar::AtLeast(BAR));
    }
    Ok(())
}

/// The peer's name.
const PEER: &str = "onnxruntime";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_layouts_are_right_and_wrong_results_are_seen() -> Result<()> {
        let ctx = Context::open("cpu")?;
        let shape = Shape([9, 3, 4, 3, 2]);
        assert_eq!(shape.places(), 5);
        let problem = Problem::new(&shape);
        for layout in [Layout::ChannelsFirst, Layout::ChannelsLast] {
            let mut got = Ours::new(&ctx, &problem, layout)?.result()?;
            problem.check(&got)?;
            let last = got.len() - 1;
            got[last] += 0.1;
            assert!(problem.check(&got).is_err());
        }
        Ok(())
    }
}
