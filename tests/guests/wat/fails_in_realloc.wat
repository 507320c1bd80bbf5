;; Its allocator, which the host calls to hand over the texts, fails; the number of texts says how: 1,
;; it traps; 2, its block lies beyond the end of memory; 3, its block is not aligned; 4, it calls
;; itself without end; 5, it takes memory until it is denied, and gives up.
;;
;; Promise: the guest's allocator is guest code like any other, and what it returns is not believed.
;; Expected: `guest.trap` for 1 to 3, then `limit.stack`, then `limit.memory`.
(component
  (core module $guest
    (memory (export "memory") 1)
    ;; Both answers are zeros: `ok`, and empty strings and lists.
    (func (export "init") (result i32) (i32.const 16))
    (func (export "describe") (result i32) (i32.const 16))
    ;; `embed` answers one text with the vector [0.0] and no truncation: the fields of the answer
    ;; from 64 on, its values at 128, its flags at 132.
    (data (i32.const 64) "\00\00\00\00" "\01\00\00\00" "\80\00\00\00\01\00\00\00"
                         "\84\00\00\00\01\00\00\00")
    (func (export "embed") (param i32 i32) (result i32) (i32.const 64))
    (func (export "cleanup") (param i32))
    (func $recurse (param i32) (result i32)
      (i32.add (call $recurse (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
    ;; The first block is for the list of the texts: eight bytes for each.
    (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
      (if (i32.eq (local.get $size) (i32.const 8)) (then unreachable))
      (if (i32.eq (local.get $size) (i32.const 16)) (then (return (i32.const 0xfffffff0))))
      (if (i32.eq (local.get $size) (i32.const 24)) (then (return (i32.const 1025))))
      (if (i32.eq (local.get $size) (i32.const 32))
        (then (return (call $recurse (i32.const 0)))))
      (loop $again
        (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
      unreachable)
  )
  (core instance $guest (instantiate $guest))

  ;; contract: text-embedding
)
