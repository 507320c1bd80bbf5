//! The engines, by the names that the report gives them.

use clap::ValueEnum;

/// An engine of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Engine {
    /// Computes all in the guest, with fuel and deadline.
    Ampoule,
    /// Multiplies matrices on the host, where the guest has that capability.
    AmpouleHostKernels,
    /// Computes without fuel and deadline.
    AmpouleUnmetered,
    OnnxruntimeNative,
    OnnxruntimeWeb,
    RtenNative,
    RtenWasm,
    TractNative,
    TractWasm,
    CandleNative,
    Pytorch,
    /// Multiplies with the crate `gemm` and AVX2: the yardstick of products.
    GemmNative,
    /// Reads memory: the yardstick of products with one vector.
    MemoryNative,
}

impl Engine {
    /// Lists all engines, in the report's order.
    pub(crate) fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// Returns its name, in the report and on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    /// Tells whether it is Ampoule.
    pub(crate) fn is_ampoule(self) -> bool {
        matches!(
            self,
            Self::Ampoule | Self::AmpouleHostKernels | Self::AmpouleUnmetered
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_have_the_names_that_a_report_is_read_by() {
        let names: Vec<_> = Engine::all().iter().map(|engine| engine.name()).collect();
        assert_eq!(
            names[..11],
            [
                "ampoule",
                "ampoule-host-kernels",
                "ampoule-unmetered",
                "onnxruntime-native",
                "onnxruntime-web",
                "rten-native",
                "rten-wasm",
                "tract-native",
                "tract-wasm",
                "candle-native",
                "pytorch",
            ]
        );
    }
}
