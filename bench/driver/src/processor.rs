//! The processor that is measured on, and the share of a native product's speed that a guest's can reach.

use serde::Serialize;

/// A processor, as Linux describes it on x86-64.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Processor {
    pub(crate) name: String,
    pub(crate) vendor: String,
    /// Family and model, which say more than the name that a virtual machine gives.
    pub(crate) family: Option<u32>,
    pub(crate) model: Option<u32>,
    /// The share of a native product with vectors of 256 bits that one with 128 bits, as a guest's are, can reach:
    /// half of it, or, on cores that compute 256 bits in two halves, all of it.
    pub(crate) ceiling: f64,
}

impl Processor {
    /// Reads the first processor in `/proc/cpuinfo`.
    pub(crate) fn of(cpuinfo: &str) -> Self {
        let field = |name: &str| {
            let value = |line: &str| {
                let (key, value) = line.split_once(':')?;
                (key.trim() == name).then(|| value.trim().to_owned())
            };
            cpuinfo.lines().find_map(value)
        };
        let number = |name| field(name)?.parse().ok();
        let text = |name| field(name).unwrap_or_else(|| "unknown".to_owned());
        let (vendor, family, model) = (text("vendor_id"), number("cpu family"), number("model"));
        Self {
            name: text("model name"),
            ceiling: if halves_vectors(&vendor, family, model) {
                1.0
            } else {
                0.5
            },
            vendor,
            family,
            model,
        }
    }
}

/// Tells if vectors of 256 bits are computed in two halves, as by AMD's cores before Zen 2, and by the one that is Zen
/// under another name. Zen 2 begins with model 0x30 of its family (AMD, "Software Optimization Guide for AMD Family 17h").
fn halves_vectors(vendor: &str, family: Option<u32>, model: Option<u32>) -> bool {
    match (vendor, family) {
        ("AuthenticAMD", Some(0x17)) => model.is_some_and(|model| model < 0x30),
        ("AuthenticAMD", Some(family)) => family < 0x17,
        ("HygonGenuine", _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpuinfo(vendor: &str, family: u32, model: u32) -> String {
        format!(
            "processor\t: 0\nvendor_id\t: {vendor}\ncpu family\t: {family}\nmodel\t\t: {model}\n\
             model name\t: Some CPU\n\nprocessor\t: 1\nvendor_id\t: other\n"
        )
    }

    #[test]
    fn a_processor_is_told_by_vendor_family_and_model() {
        let processor = Processor::of(&cpuinfo("AuthenticAMD", 25, 17));
        assert_eq!(processor.name, "Some CPU");
        assert_eq!(processor.vendor, "AuthenticAMD");
        assert_eq!((processor.family, processor.model), (Some(25), Some(17)));
    }

    #[test]
    fn the_ceiling_is_one_where_vectors_are_computed_in_halves() {
        for (vendor, family, model, ceiling) in [
            ("AuthenticAMD", 0x17, 0x01, 1.0),
            ("AuthenticAMD", 0x17, 0x08, 1.0),
            ("AuthenticAMD", 0x17, 0x31, 0.5),
            ("AuthenticAMD", 0x19, 0x11, 0.5),
            ("AuthenticAMD", 0x15, 0x70, 1.0),
            ("HygonGenuine", 0x18, 0x00, 1.0),
            ("GenuineIntel", 6, 0x55, 0.5),
        ] {
            let processor = Processor::of(&cpuinfo(vendor, family, model));
            assert_eq!(
                processor.ceiling, ceiling,
                "{vendor} {family:#x} {model:#x}"
            );
        }
    }

    #[test]
    fn what_the_system_does_not_tell_is_unknown() {
        let processor = Processor::of("processor : 0\nBogoMIPS : 50.00\n");
        assert_eq!(processor.name, "unknown");
        assert_eq!((processor.family, processor.model), (None, None));
    }
}
