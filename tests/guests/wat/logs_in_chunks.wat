;; A generation of chunks of one byte without end. In the first, it logs a message of one byte as often as
;; `max-output-tokens` says.
;;
;; Promise: a chunk costs the same whatever was logged before it. Expected: chunks.
(component
  (type $log-types (instance
    (type $level (enum "error" "warn" "info" "debug"))
    (export "level" (type $exported (eq $level)))
    (export "write" (func (param "level" $exported) (param "message" string)))))
  (import "ampoule:model/log@0.1.0" (instance $log (type $log-types)))
  (core module $libc (memory (export "memory") 1))
  (core instance $libc (instantiate $libc))
  (core func $write (canon lower (func $log "write") (memory (core memory $libc "memory"))))
  (type $generation (resource (rep i32)))
  (core func $new (canon resource.new $generation))
  (core module $guest
    (import "log" "write" (func $write (param i32 i32 i32)))
    (import "libc" "memory" (memory 1))
    (import "generation" "new" (func $new (param i32) (result i32)))
    (export "memory" (memory 0))
    ;; Both answers are zeros: `ok`, and empty strings and lists.
    (func (export "init") (result i32) (i32.const 16))
    (func (export "describe") (result i32) (i32.const 16))
    (global $left (mut i32) (i32.const 0))
    ;; The handle is written to 68; 64 says `ok`.
    (func (export "generate")
      (param i32 i32 f32 f32 i32 i32 i64 i32 i32 i32 i32 i32) (result i32)
      (global.set $left (local.get 7))
      (i32.store (i32.const 68) (call $new (i32.const 0)))
      (i32.const 64))
    ;; 128: a chunk of one letter, without an end.
    (data (i32.const 128) "\00\00\00\00" "\01\00\00\00" "\00\02\00\00\01\00\00\00")
    (data (i32.const 512) "y")
    (func (export "next") (param $self i32) (result i32)
      (loop $again
        (if (global.get $left)
          (then
            (global.set $left (i32.sub (global.get $left) (i32.const 1)))
            (call $write (i32.const 0) (i32.const 512) (i32.const 1))
            (br $again))))
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
    (with "log" (instance (export "write" (func $write))))
    (with "libc" (instance $libc))
    (with "generation" (instance (export "new" (func $new))))))

  ;; contract: text-generation
)
