//! The inner loop of the product of one row with a matrix: four panels, 32 columns, at a time.
//!
//! One row uses each weight once, so memory sets the speed. Four panels give eight sums that do not wait for one
//! another. They lie far apart, a quarter of the panels from one to the next, because a processor prefetches up to the
//! end of a page: four streams are read faster than one. As one stream, an answer of the built-in model takes 16 % longer, and a product with a matrix of 32 MiB three times as long (Zen 4). The
//! shape of the code is that of [`tile_loop`](super::tile_loop), and for the same reason.

/// A turn of [`Kernels::accumulate_strips`](crate::simd::Kernels::accumulate_strips): `$v` is a vector, `$madd` its
/// multiply-add, `$x` and `$panels` give a step of each, and there are `$steps` of them, of which
/// [`STRIP_STEPS`](crate::blocks::strip::STRIP_STEPS) are done. A further exit after two panels is never taken: without
/// it, eight vectors of weights would be loaded before the first is used.
macro_rules! accumulate_strip_steps {
    ($v:ty, $madd:path, $steps:ident, $x:ident, $panels:ident, $strip:ident) => {
        crate::simd::strip_loop::accumulate_strip_steps!(
            @ $v, $madd, $steps, $x, $panels, $strip,
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
        )
    };
    (
        @ $v:ty, $madd:path, $steps:ident, $x:ident, $panels:ident, $strip:ident,
        $($step:literal)*
    ) => {
        let [p0, p1, p2, p3] = $panels;
        // Hidden, because the compiler is not to see that there are only whole steps.
        let half_steps = std::hint::black_box(2 * $steps);
        let strip = $strip.each_mut().map(|sums| &mut **sums);
        let mut c00 = <$v>::load(&strip[0].0[0]);
        let mut c01 = <$v>::load(&strip[0].0[1]);
        let mut c10 = <$v>::load(&strip[1].0[0]);
        let mut c11 = <$v>::load(&strip[1].0[1]);
        let mut c20 = <$v>::load(&strip[2].0[0]);
        let mut c21 = <$v>::load(&strip[2].0[1]);
        let mut c30 = <$v>::load(&strip[3].0[0]);
        let mut c31 = <$v>::load(&strip[3].0[1]);
        'done: {
            $(
                if half_steps == 2 * $step {
                    break 'done;
                }
                let a = <$v>::load(&$x($step).0);
                c00 = $madd(a, <$v>::load(&p0($step).0[0]), c00);
                c01 = $madd(a, <$v>::load(&p0($step).0[1]), c01);
                c10 = $madd(a, <$v>::load(&p1($step).0[0]), c10);
                c11 = $madd(a, <$v>::load(&p1($step).0[1]), c11);
                if half_steps == 2 * $step + 1 {
                    break 'done;
                }
                c20 = $madd(a, <$v>::load(&p2($step).0[0]), c20);
                c21 = $madd(a, <$v>::load(&p2($step).0[1]), c21);
                c30 = $madd(a, <$v>::load(&p3($step).0[0]), c30);
                c31 = $madd(a, <$v>::load(&p3($step).0[1]), c31);
            )*
        }
        c00.store(&mut strip[0].0[0]);
        c01.store(&mut strip[0].0[1]);
        c10.store(&mut strip[1].0[0]);
        c11.store(&mut strip[1].0[1]);
        c20.store(&mut strip[2].0[0]);
        c21.store(&mut strip[2].0[1]);
        c30.store(&mut strip[3].0[0]);
        c31.store(&mut strip[3].0[1]);
    };
}

pub(crate) use accumulate_strip_steps;
