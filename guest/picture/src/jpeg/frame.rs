//! Size and components of a picture, as the frame header tells them (T.81, B.2.2).

use super::colours::Colours;
use super::refusal::Refusal;

/// Ways of coding that this decoder knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sequential,
    Progressive,
}

/// A picture's frame.
#[derive(Debug)]
pub(super) struct Frame {
    /// In pixels; at least 1.
    pub(super) width: usize,
    /// In pixels; at least 1.
    pub(super) height: usize,
    pub(super) is_progressive: bool,
    pub(super) components: Vec<Component>,
    /// The most samples across and down that a component has in a unit.
    pub(super) most: [usize; 2],
    /// Interleaved units across and down.
    pub(super) units: [usize; 2],
    pub(super) colours: Colours,
}

/// One of a picture's colour channels.
#[derive(Debug)]
pub(super) struct Component {
    pub(super) id: u8,
    /// Blocks of a unit, across and down: 1 to 4.
    pub(super) factors: [usize; 2],
    /// Number of its quantisation table.
    pub(super) table: usize,
    /// Blocks across and down that hold samples of the picture.
    pub(super) blocks: [usize; 2],
    /// Blocks across and down with those that fill the last units.
    pub(super) padded: [usize; 2],
    /// Samples across and down.
    pub(super) samples: [usize; 2],
    /// The table in force at the component's first scan.
    pub(super) quantisation: Option<[u16; 64]>,
}

impl Frame {
    pub(super) fn read(kind: Kind, content: &[u8]) -> Result<Self, Refusal> {
        const BROKEN: Refusal = Refusal::Broken("a broken frame header");
        let (head, components) = content.split_first_chunk::<6>().ok_or(BROKEN)?;
        let [bits, a, b, c, d, count] = *head;
        match bits {
            8 => {}
            12 => return Err(Refusal::Kind("one of 12 bits a sample")),
            _ => return Err(Refusal::Kind("one of another number of bits a sample")),
        }
        let [height, width] = [[a, b], [c, d]].map(|side| usize::from(u16::from_be_bytes(side)));
        if height == 0 {
            return Err(Refusal::Kind(
                "one that tells its height after the picture (DNL)",
            ));
        }
        if width == 0 {
            return Err(Refusal::Broken("a width of 0 pixels"));
        }
        let (components, rest) = components.as_chunks::<3>();
        if components.len() != usize::from(count) || !rest.is_empty() {
            return Err(BROKEN);
        }
        match count {
            1 | 3 | 4 => {}
            2 => return Err(Refusal::Kind("one of 2 components")),
            _ => return Err(Refusal::Kind("one of another number of components")),
        }
        let mut frame = Self {
            width,
            height,
            is_progressive: kind == Kind::Progressive,
            components: Vec::with_capacity(components.len()),
            most: [1, 1],
            units: [0, 0],
            colours: Colours::Grey,
        };
        for &[id, factors, table] in components {
            let mut factors = [usize::from(factors >> 4), usize::from(factors & 15)];
            if factors.iter().any(|factor| !(1..=4).contains(factor)) || table > 3 {
                return Err(BROKEN);
            }
            if count == 1 {
                // Factors compare components; one alone is never coarser than itself.
                factors = [1, 1];
            }
            for (most, factor) in frame.most.iter_mut().zip(factors) {
                *most = factor.max(*most);
            }
            frame.components.push(Component {
                id,
                factors,
                table: usize::from(table),
                blocks: [0, 0],
                padded: [0, 0],
                samples: [0, 0],
                quantisation: None,
            });
        }
        frame.measure()?;
        Ok(frame)
    }

    fn measure(&mut self) -> Result<(), Refusal> {
        for (axis, side) in [self.width, self.height].into_iter().enumerate() {
            let most = self.most[axis];
            self.units[axis] = side.div_ceil(8 * most);
            for component in &mut self.components {
                let factor = component.factors[axis];
                if !most.is_multiple_of(factor) {
                    return Err(Refusal::Kind(
                        "one whose sampling factors are no multiples of each other",
                    ));
                }
                component.samples[axis] = (side * factor).div_ceil(most);
                component.blocks[axis] = component.samples[axis].div_ceil(8);
                component.padded[axis] = self.units[axis] * factor;
            }
        }
        Ok(())
    }
}
