;; Abuses the handle of the generation that it gives away; `max-output-tokens` says how. In `generate`: 1,
;; gives one away that it has dropped; 2, one that it made up; 3, makes them without end; 4, never
;; returns; 5, drops one whose destructor traps. In `next`: 6, drops the one that it gave away; 7,
;; asks what is behind it; 8, answers with a chunk that is no text; 9, with an option that does not
;; exist; 10, with text beyond the end of memory; 11, traps; 12, spins; 13, calls itself without end;
;; 14, takes memory until it is denied, and gives up. 15, one chunk after another, and a destructor that
;; never returns.
;;
;; Promise: what a guest gave away is no longer its own, and `next` has the limits of any call.
;; Expected: `guest.trap`; for 4 `limit.deadline`, for 12 `limit.fuel`, for 13 `limit.stack`, for 14
;; `limit.memory`; for 15 chunks, and an end without delay.
(component
  ;; The destructor is known before the guest is.
  (core module $ends
    (global $mode (export "mode") (mut i32) (i32.const 0))
    (func (export "end") (param i32)
      (if (i32.eq (global.get $mode) (i32.const 5)) (then unreachable))
      (if (i32.eq (global.get $mode) (i32.const 15)) (then (loop $again (br $again))))))
  (core instance $ends (instantiate $ends))
  (type $generation (resource (rep i32) (dtor (core func $ends "end"))))
  (core func $new (canon resource.new $generation))
  (core func $drop (canon resource.drop $generation))
  (core func $rep (canon resource.rep $generation))
  (core module $guest
    (import "generation" "new" (func $new (param i32) (result i32)))
    (import "generation" "drop" (func $drop (param i32)))
    (import "generation" "rep" (func $rep (param i32) (result i32)))
    (import "ends" "mode" (global $mode (mut i32)))
    (memory (export "memory") 1)
    ;; Both answers are zeros: `ok`, and empty strings and lists.
    (func (export "init") (result i32) (i32.const 16))
    (func (export "describe") (result i32) (i32.const 16))
    (global $given (mut i32) (i32.const 0))
    ;; The handle is written to 68; 64 says `ok`.
    (func (export "generate")
      (param i32 i32 f32 f32 i32 i32 i64 i32 i32 i32 i32 i32) (result i32)
      (global.set $mode (local.get 7))
      (global.set $given (call $new (i32.const 0)))
      (i32.store (i32.const 68) (global.get $given))
      (if (i32.eq (global.get $mode) (i32.const 1)) (then (call $drop (global.get $given))))
      (if (i32.eq (global.get $mode) (i32.const 2))
        (then (i32.store (i32.const 68) (i32.const 77))))
      (if (i32.eq (global.get $mode) (i32.const 3))
        (then (loop $again (drop (call $new (i32.const 0))) (br $again))))
      (if (i32.eq (global.get $mode) (i32.const 4)) (then (loop $again (br $again))))
      (if (i32.eq (global.get $mode) (i32.const 5)) (then (call $drop (global.get $given))))
      (i32.const 64))
    ;; 128: a chunk of three letters, without an end.
    (data (i32.const 128) "\00\00\00\00" "\01\00\00\00" "\00\02\00\00\03\00\00\00")
    ;; 192: a chunk of two bytes that are no text. 256: no such option. 320: text out of range.
    (data (i32.const 192) "\00\00\00\00" "\01\00\00\00" "\10\02\00\00\02\00\00\00")
    (data (i32.const 256) "\00\00\00\00" "\07\00\00\00")
    (data (i32.const 320) "\00\00\00\00" "\01\00\00\00" "\ff\ff\00\00\02\00\00\00")
    (data (i32.const 512) "abc")
    (data (i32.const 528) "\ff\fe")
    (func $recurse (param i32) (result i32)
      (i32.add (call $recurse (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
    (func (export "next") (param $self i32) (result i32)
      (if (i32.eq (global.get $mode) (i32.const 6)) (then (call $drop (global.get $given))))
      (if (i32.eq (global.get $mode) (i32.const 7))
        (then (drop (call $rep (global.get $given)))))
      (if (i32.eq (global.get $mode) (i32.const 8)) (then (return (i32.const 192))))
      (if (i32.eq (global.get $mode) (i32.const 9)) (then (return (i32.const 256))))
      (if (i32.eq (global.get $mode) (i32.const 10)) (then (return (i32.const 320))))
      (if (i32.eq (global.get $mode) (i32.const 11)) (then unreachable))
      (if (i32.eq (global.get $mode) (i32.const 12)) (then (loop $again (br $again))))
      (if (i32.eq (global.get $mode) (i32.const 13))
        (then (drop (call $recurse (i32.const 0)))))
      (if (i32.eq (global.get $mode) (i32.const 14))
        (then
          (loop $again
            (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
          unreachable))
      (i32.const 128))
    ;; Never frees; starts above everything else.
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top
        (i32.and
          (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8))))
  )
  (core instance $guest (instantiate $guest
    (with "generation" (instance
      (export "new" (func $new)) (export "drop" (func $drop)) (export "rep" (func $rep))))
    (with "ends" (instance $ends))))

  ;; contract: text-generation
)
