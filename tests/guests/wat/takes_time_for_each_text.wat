;; `embed` works for about a millisecond on each text, and answers each with the vector [0.0].
;;
;; Promise: a request with many texts is spread over sandboxes, and others have their turn between
;; them. Expected: an answer of [0.0] for each text.
(component
  (core module $guest
    (memory (export "memory") 2)
    ;; Zeros: `ok`, and a description without words.
    (func (export "init") (result i32) (i32.const 16))
    (func (export "describe") (result i32) (i32.const 16))
    ;; The fields of the answer from 64 on. Values and flags are zeros from 65,536 on.
    (func (export "embed") (param $texts i32) (param $count i32) (result i32)
      (local $left i32)
      (local.set $left (i32.mul (local.get $count) (i32.const 1000000)))
      (loop $work
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $work (i32.gt_s (local.get $left) (i32.const 0))))
      (i32.store (i32.const 68) (i32.const 1))
      (i32.store (i32.const 72) (i32.const 65536))
      (i32.store (i32.const 76) (local.get $count))
      (i32.store (i32.const 80) (i32.const 65536))
      (i32.store (i32.const 84) (local.get $count))
      (i32.const 64))
    (func (export "cleanup") (param i32))
    ;; Never frees; starts above everything else, and ends below the answer.
    (global $top (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top
        (i32.and
          (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 7)) (i32.const -8))))
  )
  (core instance $guest (instantiate $guest))

  ;; contract: text-embedding
)
