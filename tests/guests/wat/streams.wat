;; A generation of chunks without end, or with one that should not be; `max-output-tokens` says which. 1, four
;; bytes a chunk; 2, 65,536 bytes a chunk; 3, each `next` never returns; 4, each computes for some tens of
;; milliseconds and then gives four bytes; 10, the same for some milliseconds. The first chunk is the last: 5, and
;; says that six tokens were written; 6, that its reason is `STOP!`; 7, an empty one; 8, one of a thousand letters;
;; 9, `stop`, as it should be.
;;
;; Promise: a generation that has begun gets on, and is held to its contract. Expected: chunks; for 2
;; `limit.output`; for 3 `limit.deadline`; for 5 to 8 `guest.answer`.
(component
  (type $generation (resource (rep i32)))
  (core func $new (canon resource.new $generation))
  (core module $guest
    (import "generation" "new" (func $new (param i32) (result i32)))
    (memory (export "memory") 3)
    ;; Both answers are zeros: `ok`, and empty strings and lists.
    (func (export "init") (result i32) (i32.const 16))
    (func (export "describe") (result i32) (i32.const 16))
    (global $mode (mut i32) (i32.const 0))
    (data (i32.const 512) "tick")
    (data (i32.const 528) "STOP!")
    (data (i32.const 544) "stop")
    ;; The handle is written to 68; 64 says `ok`.
    (func (export "generate")
      (param i32 i32 f32 f32 i32 i32 i64 i32 i32 i32 i32 i32) (result i32)
      (global.set $mode (local.get 7))
      ;; Letters, for long texts.
      (memory.fill (i32.const 65536) (i32.const 97) (i32.const 65536))
      (i32.store (i32.const 68) (call $new (i32.const 0)))
      (i32.const 64))
    (func $chunk (param $text i32) (param $length i32) (result i32)
      (i32.store (i32.const 132) (i32.const 1))
      (i32.store (i32.const 136) (local.get $text))
      (i32.store (i32.const 140) (local.get $length))
      (i32.const 128))
    (func $last (param $reason i32) (param $length i32) (param $tokens i32) (result i32)
      (i32.store (i32.const 144) (i32.const 1))
      (i32.store (i32.const 148) (local.get $reason))
      (i32.store (i32.const 152) (local.get $length))
      (i32.store (i32.const 160) (local.get $tokens))
      (call $chunk (i32.const 512) (i32.const 4)))
    (func $compute (param $left i32)
      (loop $again
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $again (local.get $left))))
    (func (export "next") (param $self i32) (result i32)
      (if (i32.eq (global.get $mode) (i32.const 2))
        (then (return (call $chunk (i32.const 65536) (i32.const 65536)))))
      (if (i32.eq (global.get $mode) (i32.const 3)) (then (loop $again (br $again))))
      (if (i32.eq (global.get $mode) (i32.const 4)) (then (call $compute (i32.const 40000000))))
      (if (i32.eq (global.get $mode) (i32.const 10)) (then (call $compute (i32.const 6000000))))
      (if (i32.eq (global.get $mode) (i32.const 5))
        (then (return (call $last (i32.const 544) (i32.const 4) (i32.const 6)))))
      (if (i32.eq (global.get $mode) (i32.const 6))
        (then (return (call $last (i32.const 528) (i32.const 5) (i32.const 1)))))
      (if (i32.eq (global.get $mode) (i32.const 7))
        (then (return (call $last (i32.const 528) (i32.const 0) (i32.const 1)))))
      (if (i32.eq (global.get $mode) (i32.const 8))
        (then (return (call $last (i32.const 65536) (i32.const 1000) (i32.const 1)))))
      (if (i32.eq (global.get $mode) (i32.const 9))
        (then (return (call $last (i32.const 544) (i32.const 4) (i32.const 9)))))
      (call $chunk (i32.const 512) (i32.const 4)))
    ;; Never frees; starts above everything else.
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top
        (i32.and
          (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8))))
  )
  (core instance $guest (instantiate $guest
    (with "generation" (instance (export "new" (func $new))))))

  ;; contract: text-generation
)
