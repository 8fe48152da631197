//! A filter as a program: a jump by architecture, then a binary search by number, then the arguments.
//!
//! Neighbouring numbers with the same rules become one leaf, so that a profile of 400 names is some 8 comparisons deep.

use super::{Architecture, Condition, Filter, RET_KILL_THREAD, Range, Rule};
use sampan_spec::oci::LinuxSeccompOperator as Operator;
use sampan_sys::seccomp::Instruction;

pub(super) const LOAD: u16 = 0x20;
pub(super) const AND: u16 = 0x54;
pub(super) const JUMP: u16 = 0x05;
pub(super) const JUMP_EQUAL: u16 = 0x15;
pub(super) const JUMP_GREATER: u16 = 0x25;
pub(super) const JUMP_NOT_LESS: u16 = 0x35;
pub(super) const RETURN: u16 = 0x06;

/// Offsets in `struct seccomp_data`.
pub(super) const NUMBER_AT: u32 = 0;
pub(super) const ARCHITECTURE_AT: u32 = 4;
pub(super) const ARGUMENTS_AT: u32 = 16;

/// Stands for a jump to the end of a rule until its length is known.
const FAIL: u8 = u8::MAX;

/// What happens from one number up to the next leaf's.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Leaf {
    from: u32,
    rules: Vec<Rule>,
    otherwise: u32,
}

pub(super) fn compile(filter: &Filter) -> Vec<Instruction> {
    let blocks: Vec<_> = filter.architectures.iter().map(|a| architecture(a, filter.default)).collect();
    let mut code = vec![op(LOAD, ARCHITECTURE_AT)];
    let header = 2 * blocks.len() + 1;
    let mut behind = 0;
    for (i, block) in blocks.iter().enumerate() {
        let audit = filter.architectures[i].audit;
        code.push(jump(JUMP_EQUAL, audit, 0, 1));
        code.push(op(JUMP, (header - 2 * (i + 1) + behind) as u32));
        behind += block.len();
    }
    code.push(op(RETURN, RET_KILL_THREAD));
    blocks.into_iter().for_each(|block| code.extend(block));
    code
}

fn architecture(architecture: &Architecture, default: u32) -> Vec<Instruction> {
    let mut ranges: Vec<&Range> = architecture.ranges.iter().collect();
    ranges.sort_by_key(|r| r.first);
    let mut leaves = Vec::new();
    let mut next = Some(0);
    for range in ranges {
        if next.is_some_and(|n| n < range.first) {
            add(&mut leaves, simple(next.unwrap_or(0), RET_KILL_THREAD));
        }
        range_leaves(range, default, &mut leaves);
        next = range.last.checked_add(1);
    }
    if let Some(from) = next {
        add(&mut leaves, simple(from, RET_KILL_THREAD));
    }
    let mut code = vec![op(LOAD, NUMBER_AT)];
    code.extend(search(&leaves));
    code
}

/// The leaves of one range: what lies between named numbers has the default.
fn range_leaves(range: &Range, default: u32, leaves: &mut Vec<Leaf>) {
    let mut next = range.first;
    for (number, rules) in &range.rules {
        if next < *number {
            add(leaves, simple(next, default));
        }
        add(leaves, leaf(*number, rules, default));
        next = number.saturating_add(1);
    }
    if next <= range.last {
        add(leaves, simple(next, if range.rules.is_empty() { default } else { range.beyond }));
    }
}

/// Adds a leaf, or nothing if it goes on like the one before.
fn add(leaves: &mut Vec<Leaf>, leaf: Leaf) {
    let same = leaves.last().is_some_and(|l| l.rules == leaf.rules && l.otherwise == leaf.otherwise);
    if !same {
        leaves.push(leaf);
    }
}

fn simple(from: u32, action: u32) -> Leaf {
    Leaf { from, rules: Vec::new(), otherwise: action }
}

/// The rules up to the first that always matches.
fn leaf(from: u32, rules: &[Rule], default: u32) -> Leaf {
    let always = rules.iter().position(|r| r.conditions.is_empty());
    let otherwise = always.map_or(default, |i| rules[i].action);
    Leaf { from, rules: rules[..always.unwrap_or(rules.len())].to_vec(), otherwise }
}

/// A binary search over leaves, with the number in the accumulator.
fn search(leaves: &[Leaf]) -> Vec<Instruction> {
    let [_, _, ..] = leaves else { return leaves.first().map(leaf_code).unwrap_or_default() };
    let (low, high) = leaves.split_at(leaves.len() / 2);
    let (low_code, high_code) = (search(low), search(high));
    let middle = high[0].from;
    let mut code = match u8::try_from(low_code.len()) {
        Ok(skip) => vec![jump(JUMP_NOT_LESS, middle, skip, 0)],
        Err(_) => vec![jump(JUMP_NOT_LESS, middle, 0, 1), op(JUMP, low_code.len() as u32)],
    };
    code.extend(low_code);
    code.extend(high_code);
    code
}

fn leaf_code(leaf: &Leaf) -> Vec<Instruction> {
    let mut code = Vec::new();
    for rule in &leaf.rules {
        let mut own: Vec<Instruction> = rule.conditions.iter().flat_map(condition).collect();
        own.push(op(RETURN, rule.action));
        let length = own.len();
        for (i, instruction) in own.iter_mut().enumerate() {
            let to_end = (length - i - 1) as u8;
            for target in [&mut instruction.jump_true, &mut instruction.jump_false] {
                if *target == FAIL {
                    *target = to_end;
                }
            }
        }
        code.extend(own);
    }
    code.push(op(RETURN, leaf.otherwise));
    code
}

/// Goes on if the condition holds, else to [`FAIL`]. Arguments are compared as two halves, the high one first.
fn condition(condition: &Condition) -> Vec<Instruction> {
    let Condition { argument, operator, value, second } = *condition;
    let low = op(LOAD, ARGUMENTS_AT + 8 * u32::from(argument));
    let high = op(LOAD, low.constant + 4);
    let halves = |v: u64| ((v >> 32) as u32, v as u32);
    let (value_high, value_low) = halves(value);
    let equal = |v, t, f| jump(JUMP_EQUAL, v, t, f);
    let greater = |v, t, f| jump(JUMP_GREATER, v, t, f);
    let not_less = |v, t, f| jump(JUMP_NOT_LESS, v, t, f);
    let below = |last| vec![high, greater(value_high, FAIL, 0), equal(value_high, 0, 2), low, last];
    let above = |last| vec![high, greater(value_high, 3, 0), equal(value_high, 0, FAIL), low, last];
    match operator {
        Operator::Eq => vec![high, equal(value_high, 0, FAIL), low, equal(value_low, 0, FAIL)],
        Operator::Ne => vec![high, equal(value_high, 0, 2), low, equal(value_low, FAIL, 0)],
        Operator::Lt => below(not_less(value_low, FAIL, 0)),
        Operator::Le => below(greater(value_low, FAIL, 0)),
        Operator::Gt => above(greater(value_low, 0, FAIL)),
        Operator::Ge => above(not_less(value_low, 0, FAIL)),
        Operator::MaskedEq => {
            let (second_high, second_low) = halves(second);
            let mask_high = [high, op(AND, value_high), equal(second_high, 0, FAIL)];
            let mask_low = [low, op(AND, value_low), equal(second_low, 0, FAIL)];
            [mask_high, mask_low].concat()
        }
    }
}

const fn op(code: u16, constant: u32) -> Instruction {
    Instruction { code, jump_true: 0, jump_false: 0, constant }
}

const fn jump(code: u16, constant: u32, jump_true: u8, jump_false: u8) -> Instruction {
    Instruction { code, jump_true, jump_false, constant }
}
